import type { DrillTarget } from "../drill/run-drill.ts";
import { UsageError, type Command } from "./command.ts";
import { readInput } from "./secret-input.ts";

export const drill: Command = {
  name: "drill",
  summary: "let an authority fail in every way, and see what users see",
  operands: [],
  options: {
    seconds: { value: "N", help: "how long each phase lasts (60)" },
    rate: { value: "N", help: "requests a second (50)" },
    connections: { value: "N", help: "WebSocket connections besides (0); needs the package ws" },
    target: { value: "URL", help: "a guarded address of your own service; tokens on standard input" },
    authority: { value: "URL", help: "with --target: the real address of your service's authority" },
  },
  examples: [
    "holdfast drill --seconds 10",
    "holdfast drill --target http://127.0.0.1:3000/orders --authority https://id.example.com < tokens.txt",
  ],
  notes:
    "The drill starts a provider and an API with a guard as processes of its own. The phases are steady, down, frozen,\n" +
    "flapping, each of the last three followed by recovery, and slow. With --target it puts a proxy between your service\n" +
    "and its authority, prints the address of the proxy, waits until your service uses it, and lets the proxy fail. Never\n" +
    "do that to a service that is in use. Standard input holds one token a line. Some are kept back, to be new in an\n" +
    "outage. Exits with 1 when a check fails.",
  async run({ options }) {
    const phaseMs = 1000 * readWholeNumber(options, "seconds", 60, 3_600);
    const perSecond = readWholeNumber(options, "rate", 50, 1_000);
    const connections = readWholeNumber(options, "connections", 0, 10_000);
    const [url, authority] = [readSingle(options, "target"), readSingle(options, "authority")];
    if ((url === undefined) !== (authority === undefined)) {
      throw new UsageError("--target and --authority go together; see holdfast drill --help");
    }
    if (url !== undefined && connections > 0) {
      throw new UsageError("--connections is for the drill's own API, not for --target");
    }
    // The tokens are read before SIGINT has a handler, so that Ctrl-C still ends the wait for input.
    const target = url === undefined ? null : await readTarget(url, authority ?? "");
    const { runDrill } = await import("../drill/run-drill.ts");
    const stop = new AbortController();
    const { signal } = stop;
    const interrupt = () => stop.abort();
    process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
    try {
      return (await runDrill({ phaseMs, perSecond, connections, target, signal })) ? 0 : 1;
    } catch (error) {
      if (!signal.aborted) throw error;
      console.error("holdfast: interrupted");
      return 1;
    } finally {
      process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
    }
  },
};

type Options = Parameters<Command["run"]>[0]["options"];

function readSingle(options: Options, name: string): string | undefined {
  const [value, ...others] = options[name] ?? [];
  if (others.length > 0) throw new UsageError(`--${name} can be given once`);
  return value;
}

function readWholeNumber(options: Options, name: string, preset: number, max: number): number {
  const value = Number(readSingle(options, name) ?? preset);
  const min = Math.min(1, preset);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new UsageError(`--${name} must be a whole number from ${min} to ${max}`);
}

async function readTarget(url: string, authority: string): Promise<DrillTarget> {
  if (!URL.canParse(url)) throw new UsageError("--target must be a URL");
  if (!URL.canParse(authority)) throw new UsageError("--authority must be a URL");
  const tokens = (await readInput()).split(/\s+/).filter((token) => token !== "");
  if (tokens.length === 0) throw new UsageError("standard input must hold at least one token");
  return { url, authority, tokens };
}
