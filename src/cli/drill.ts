import { UsageError, type Command } from "./command.ts";
import { Live } from "./drill/live.ts";
import { OwnWorld } from "./drill/own-world.ts";
import { heading, judgementLine, phaseLine } from "./drill/print.ts";
import type { Phase } from "./drill/phase.ts";
import { judge } from "./drill/promises.ts";
import { tell } from "./drill/story.ts";
import { TargetWorld } from "./drill/target-world.ts";
import type { World } from "./drill/world.ts";
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
    const phaseMs = 1000 * whole(options, "seconds", 60, 3_600);
    const perSecond = whole(options, "rate", 50, 1_000);
    const connections = whole(options, "connections", 0, 10_000);
    const [target, authority] = [single(options, "target"), single(options, "authority")];
    if ((target === undefined) !== (authority === undefined)) {
      throw new UsageError("--target and --authority go together; see holdfast drill --help");
    }
    if (target !== undefined && connections > 0) {
      throw new UsageError("--connections is for the drill's own API, not for --target");
    }
    // Before interruptions are taken care of: who waits for a terminal is simply interrupted.
    const aim = target === undefined ? null : await readAim(target, authority ?? "");
    const stop = new AbortController();
    const { signal } = stop;
    const interrupt = () => stop.abort();
    process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
    let world: World | undefined;
    try {
      world = aim === null ? await OwnWorld.start(connections) : await takeAim(aim, signal);
      console.log(
        `${phaseMs / 1000} s a phase, ${perSecond} requests a second to ${world.url}\n\n${heading}`,
      );
      const live = new Live();
      if (connections > 0) await live.open(world, connections);
      const phases = await tell(world, { phaseMs, perSecond, live, onProgress: show, signal });
      const judgements = judge(phases, live, world.isOurs);
      console.log(`\n${judgements.map(judgementLine).join("\n")}`);
      return judgements.every(({ kept }) => kept) ? 0 : 1;
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

function single(options: Options, name: string): string | undefined {
  const [value, ...others] = options[name] ?? [];
  if (others.length > 0) throw new UsageError(`--${name} can be given once`);
  return value;
}

function whole(options: Options, name: string, preset: number, max: number): number {
  const value = Number(single(options, name) ?? preset);
  const min = Math.min(1, preset);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new UsageError(`--${name} must be a whole number from ${min} to ${max}`);
}

interface Aim {
  readonly target: string;
  readonly authority: string;
  readonly tokens: readonly string[];
}

async function readAim(target: string, authority: string): Promise<Aim> {
  if (!URL.canParse(target)) throw new UsageError("--target must be a URL");
  if (!URL.canParse(authority)) throw new UsageError("--authority must be a URL");
  const tokens = (await readInput()).split(/\s+/).filter((token) => token !== "");
  if (tokens.length === 0) throw new UsageError("standard input must hold at least one token");
  return { target, authority, tokens };
}

/** Waits until the service looks for its authority where it can be made to fail. */
async function takeAim({ target, authority, tokens }: Aim, signal: AbortSignal): Promise<World> {
  const world = await TargetWorld.start(target, authority, tokens);
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
function show(phase: Phase, over: boolean): void {
  const line = phaseLine(phase);
  if (!process.stdout.isTTY) {
    if (over) console.log(line);
    return;
  }
  process.stdout.write(`\r\x1b[K${over ? `${line}\n` : line.slice(0, process.stdout.columns - 1)}`);
}
