import { version } from "../../server/version.ts";
import { askAdmin, findLabel } from "../ask-admin.ts";
import type { Check } from "../check.ts";
import { ok, warn, type Finding } from "../finding.ts";

type Versions = Readonly<Record<string, string | undefined>>;

/** The command refuses an older Node before it loads anything, so only what runs but may fail is left to find. */
export const runtimeCheck: Check = {
  name: "runtime",
  group: "machine",
  async run(context) {
    const findings: Finding[] = [judgeRuntime(process.versions)];
    for (const one of context.processes) {
      if (one.found !== "process") continue;
      const { text } = await askAdmin(context, one, "/metrics").catch(() => ({ text: "" }));
      const running = findLabel(text, "holdfast_build_info", "version");
      if (running === undefined || running === version) continue;
      const detail = `the process at ${one.address} runs version ${running}, and this command is version ${version}`;
      findings.push(warn(detail, "restart the service, or use the command of its version"));
    }
    return findings;
  },
};

/** Judges the versions of `process.versions`. */
export function judgeRuntime({ node, bun, deno }: Versions): Finding {
  if (bun !== undefined || deno !== undefined) {
    const name = bun === undefined ? `Deno ${deno}` : `Bun ${bun}`;
    return warn(
      `the command runs on ${name}`,
      "run the service on Node: only the library is tested on other runtimes",
    );
  }
  // Odd versions of Node get no fixes after half a year.
  if (Number(node?.split(".")[0]) % 2 === 1) {
    return warn(`Node ${node} is not a long-term version`, "use an even version, such as Node 24");
  }
  return ok(`holdfast ${version} on Node ${node}, ${process.platform} ${process.arch}`);
}
