import { UsageError, type Command } from "./command.ts";
import { WebSocketClients } from "../drill/websocket-clients.ts";
import { LocalEnvironment } from "../drill/local-environment.ts";
import { tableHeading, formatCheck, formatPhase } from "../drill/report.ts";
import type { Phase } from "../drill/phase.ts";
import { runChecks } from "../drill/checks.ts";
import { runScenario } from "../drill/scenario.ts";
import { TargetEnvironment } from "../drill/target-environment.ts";
import type { Environment } from "../drill/environment.ts";
import { readInput } from "./secret-input.ts";

export const drill: Command = {
  name: "drill",
  summary: "let an authority fail in every way, and see what users see",
  operands: [],
  options: {
    seconds: { value: "N", help: "how long each phase lasts (60)" },
    rate: { value: "N", help: "requests a second (50)" },
    connections: { value: "N", help: "live WebSockets besides (0); needs the package ws" },
    target: { value: "URL", help: "your own service: an address that it guards; tokens on standard input" },
    authority: { value: "URL", help: "with --target: where your service's authority really is" },
  },
  examples: [
    "holdfast drill --seconds 10",
    "holdfast drill --target http://127.0.0.1:3000/orders --authority https://id.example.com < tokens.txt",
  ],
  notes:
    "It runs a provider and an API with a guard as processes of its own: steady, down, frozen, flapping, each followed\n" +
    "by recovery, and slow. With --target it puts a proxy between your service and its authority instead, tells where\n" +
    "that is, waits until your service uses it, and lets the proxy fail. Never do that to a service that is in use.\n" +
    "Tokens are one a line; some are held back, to be new in an outage. Exits with 1 when a promise is broken.",
  async run({ options }) {
    const phaseMs = 1000 * readWholeNumber(options, "seconds", 60, 3_600);
    const perSecond = readWholeNumber(options, "rate", 50, 1_000);
    const connections = readWholeNumber(options, "connections", 0, 10_000);
    const [target, authority] = [readSingle(options, "target"), readSingle(options, "authority")];
    if ((target === undefined) !== (authority === undefined)) {
      throw new UsageError("--target and --authority go together; see holdfast drill --help");
    }
    if (target !== undefined && connections > 0) {
      throw new UsageError("--connections is for the drill's own API, not for --target");
    }
    // Before interruptions are taken care of: who waits for a terminal is simply interrupted.
    const aim = target === undefined ? null : await readTarget(target, authority ?? "");
    const stop = new AbortController();
    const { signal } = stop;
    const interrupt = () => stop.abort();
    process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
    let world: Environment | undefined;
    try {
      world =
        aim === null ? await LocalEnvironment.start(connections) : await startTargetEnvironment(aim, signal);
      console.log(
        `${phaseMs / 1000} s a phase, ${perSecond} requests a second to ${world.url}\n\n${tableHeading}`,
      );
      const live = new WebSocketClients();
      if (connections > 0) await live.open(world, connections);
      const phases = await runScenario(world, {
        phaseMs,
        perSecond,
        webSockets: live,
        onProgress: showProgress,
        signal,
      });
      const judgements = runChecks(phases, live, world.isLocal);
      console.log(`\n${judgements.map(formatCheck).join("\n")}`);
      return judgements.every(({ passed }) => passed) ? 0 : 1;
    } catch (error) {
      if (!signal.aborted) throw error;
      console.error("holdfast: interrupted");
      return 1;
    } finally {
      await world?.close();
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

interface Target {
  readonly target: string;
  readonly authority: string;
  readonly tokens: readonly string[];
}

async function readTarget(target: string, authority: string): Promise<Target> {
  if (!URL.canParse(target)) throw new UsageError("--target must be a URL");
  if (!URL.canParse(authority)) throw new UsageError("--authority must be a URL");
  const tokens = (await readInput()).split(/\s+/).filter((token) => token !== "");
  if (tokens.length === 0) throw new UsageError("standard input must hold at least one token");
  return { target, authority, tokens };
}

/** Waits until the service looks for its authority where it can be made to fail. */
async function startTargetEnvironment(
  { target, authority, tokens }: Target,
  signal: AbortSignal,
): Promise<Environment> {
  const world = await TargetEnvironment.start(target, authority, tokens);
  try {
    console.log(`Start your service with its authority at ${world.authority}`);
    await world.ready((missing) => console.log(`waiting: ${missing}`), signal);
    return world;
  } catch (error) {
    await world.close();
    throw error;
  }
}

/** On a terminal the line of a phase grows while it lasts. */
function showProgress(phase: Phase, over: boolean): void {
  const line = formatPhase(phase);
  if (!process.stdout.isTTY) {
    if (over) console.log(line);
    return;
  }
  process.stdout.write(`\r\x1b[K${over ? `${line}\n` : line.slice(0, process.stdout.columns - 1)}`);
}
