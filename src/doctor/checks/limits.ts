import { readFile } from "node:fs/promises";
import { totalmem } from "node:os";
import { publicConnectionLimits } from "../../server/http/listener-limits.ts";
import type { Check } from "../check.ts";
import { ok, warn, type Finding } from "../finding.ts";

const MEGABYTE = 1_048_576;
/** Fewer descriptors than this leave room for few connections of a proxy. */
const FEW_CONNECTIONS = 500;
/** The memory that a process needs beside the memory of the guard: Node, its code, password hashes and connections. */
const OTHER_BYTES = 160 * MEGABYTE;
const GUARD_BYTES = 64 * MEGABYTE;

export const limitsCheck: Check = {
  name: "limits",
  group: "machine",
  async run({ settings, guardOptions, processes }) {
    const own = publicConnectionLimits(settings).max;
    const running = await Promise.all(processes.map(async ({ pid }) => await readDescriptorLimit(pid)));
    const descriptors = running.find((limit) => limit !== null) ?? (await readDescriptorLimit("self"));
    const memory = await readMemoryLimit();
    return judgeLimits({
      descriptors,
      connections: own,
      memory,
      guardBytes: guardOptions.memory?.maxBytes ?? GUARD_BYTES,
    });
  },
};

interface Limits {
  /** How many descriptors a process may open. `null` when the system does not tell. */
  readonly descriptors: number | null;
  /** How many connections that leaves. */
  readonly connections: number;
  /** The memory of the container or the machine, bytes. */
  readonly memory: number;
  readonly guardBytes: number;
}

export function judgeLimits({ descriptors, connections, memory, guardBytes }: Limits): Finding[] {
  const findings: Finding[] = [];
  if (descriptors !== null && descriptors < FEW_CONNECTIONS) {
    const detail = `a process may open ${descriptors} files and connections`;
    findings.push(
      warn(detail, "raise the limit: LimitNOFILE of systemd, ulimits of Docker, ulimit -n of a shell"),
    );
  }
  const needed = guardBytes + OTHER_BYTES;
  if (memory < needed) {
    const [has, wants] = [memory, needed].map((bytes) => `${Math.round(bytes / MEGABYTE)} MB`);
    const advice = "give it more memory, or lower memory.maxBytes in the file of HOLDFAST_GUARD";
    findings.push(warn(`there are ${has} of memory, and a process can need ${wants}`, advice));
  }
  if (findings.length > 0) return findings;
  return [ok(`${connections} connections, ${Math.round(memory / MEGABYTE)} MB of memory`)];
}

async function readDescriptorLimit(pid: number | "self"): Promise<number | null> {
  const text = await readFile(`/proc/${pid}/limits`, "utf8").catch(() => "");
  const soft = /^Max open files +(\d+)/m.exec(text)?.[1];
  return soft === undefined ? null : Number(soft);
}

/** The limit of the control group, version 2 or 1, or the memory of the machine. */
async function readMemoryLimit(): Promise<number> {
  const files = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
  const texts = await Promise.all(files.map(async (file) => await readFile(file, "utf8").catch(() => "")));
  const limits = texts.map(Number).filter((limit) => limit > 0);
  return Math.min(totalmem(), ...limits);
}
