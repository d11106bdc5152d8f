import type { Clock } from "../../core/clock.ts";
import { flagOption, invalidValue } from "../../core/option-values.ts";
import { readOptions, wholeOption, type OptionTable } from "../../core/options.ts";
import { seededRandom } from "../random.ts";
import { checkDuration, checkFunction, checkText } from "./argument-checks.ts";
import { EventHeap } from "./event-heap.ts";
import { mixSeed, RunHash, type HistoryEntry } from "./history.ts";
import { SimulatedNetwork } from "./network.ts";
import { SimulatedProcess, type Program } from "./process.ts";
import type { Machine, Scheduler, SimulationEvent } from "./scheduler.ts";
import { firstLine, planningPlaces, traceLine } from "./trace.ts";
import { VirtualRuntime } from "./virtual-runtime.ts";

/** Options of a {@link World}. */
export interface WorldOptions {
  /** Decides everything that happens. The same seed gives the same run. A whole number. */
  seed: number;
  /** The time at which the world begins, epoch milliseconds. Default: the start of 2030, UTC. */
  startAt?: number;
  /** Keeps a line for each event, fault and record in {@link World.trace}. Default `false`. */
  trace?: boolean;
}

const OWNER = "World";
const START_AT = Date.UTC(2030, 0, 1);

/** The options of {@link World}. */
export const worldOptionTable: OptionTable<Required<WorldOptions>> = {
  seed: wholeOption(1, -Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
  startAt: wholeOption(START_AT, 0),
  trace: flagOption(false),
};

/**
 * A simulated world: processes, a network and clocks in one real process, driven by a seed. While it runs, timers, dates
 * and random numbers of the platform are those of the world, so programs need no change. Real input and output, and
 * threads, are not simulated: a program that waits for them makes two runs differ.
 *
 * @example
 * ```ts
 * import { World } from "holdfast/testing/simulation";
 *
 * const world = new World({ seed: 7 });
 * world.process("server", ({ listen }) => {
 *   listen("server.example", async () => new Response("hello"));
 * });
 * world.process("client", async ({ fetch, sleep }) => {
 *   for (;;) {
 *     const answer = await fetch("http://server.example/").then(
 *       async (response) => await response.text(),
 *       (error: Error) => error.message,
 *     );
 *     world.record("answer", { answer });
 *     await sleep(1_000);
 *   }
 * });
 * await world.run(60_000);
 * console.log(world.history.length, world.hash);
 * ```
 */
export class World implements Scheduler {
  readonly seed: number;
  /** Decides faults and times. A program uses the `random` of its process. */
  readonly random: () => number;
  readonly network: SimulatedNetwork;
  /** The true time, for databases and other parts that are never wrong. Its timers survive every crash. */
  readonly clock: Clock;
  /** The records of the programs, in order. */
  readonly history: HistoryEntry[] = [];
  /** A line for each event, fault, lost message and record, when the world was created with `trace`. */
  readonly trace: string[] = [];
  readonly #heap = new EventHeap();
  readonly #hash = new RunHash();
  readonly #runtime: VirtualRuntime;
  readonly #processes = new Map<string, SimulatedProcess>();
  readonly #isTraced: boolean;
  readonly #startedAt: number;
  #now: number;
  #order = 0;
  #steps = 0;
  #current: Machine | null = null;
  #isRunning = false;

  /** Throws `invalid_option`. */
  constructor(options: WorldOptions) {
    const { seed, startAt, trace } = readOptions(OWNER, options, worldOptionTable);
    this.seed = seed;
    this.#now = startAt;
    this.#startedAt = startAt;
    this.#isTraced = trace;
    this.random = seededRandom(this.deriveSeed("world"));
    this.network = new SimulatedNetwork(this);
    this.#runtime = new VirtualRuntime(this);
    this.clock = {
      now: () => Math.floor(this.#now),
      monotonic: () => this.#now - startAt,
      after: (ms, fn) => this.planTimer(ms, fn),
      turn: (fn) => void this.plan(0, this.#current, "turn", fn),
    };
  }

  /** The true time, epoch milliseconds with a fraction. */
  get now(): number {
    return this.#now;
  }

  /** Milliseconds since the world began. */
  get elapsedMs(): number {
    return this.#now - this.#startedAt;
  }

  /** Number of events that have happened. */
  get steps(): number {
    return this.#steps;
  }

  /** A hash of every step and of the history. Two runs of one seed have the same hash. */
  get hash(): string {
    return this.#hash.digest();
  }

  /** The process whose event happens now. `null` for the world itself. */
  get current(): Machine | null {
    return this.#current;
  }

  /** The processes, in order of creation. */
  get processes(): readonly SimulatedProcess[] {
    return [...this.#processes.values()];
  }

  /** Creates and starts a process. Throws a `TypeError` when the name is taken, and `invalid_option` for `"*"`. */
  process(name: string, program: Program): SimulatedProcess {
    checkText("process: name", name);
    if (name === "*")
      throw invalidValue("process: name", 'another text than "*", which means any process', name);
    checkFunction("process: program", program);
    if (this.#processes.has(name)) throw new TypeError(`the world already has a process "${name}"`);
    const process = new SimulatedProcess(this, this.network, name, this.#processes.size + 1, program);
    this.#processes.set(name, process);
    process.start();
    return process;
  }

  /** Calls `fn` after `ms` of true time, also when processes crash before. The returned function cancels it. */
  after(ms: number, fn: () => void): () => void {
    checkDuration("after: ms", ms);
    checkFunction("after: fn", fn);
    return this.planTimer(ms, fn);
  }

  /** @internal A timer of the world itself. As in Node, a number that is no time means at once. */
  planTimer(ms: number, fn: () => void): () => void {
    const event = this.plan(ms, null, "timer", fn);
    return () => {
      event.isCancelled = true;
    };
  }

  /** Resolves after `ms` of true time, for code that stands outside all processes. */
  async sleep(ms: number): Promise<void> {
    checkDuration("sleep: ms", ms);
    await new Promise<void>((resolve) => void this.after(ms, resolve));
  }

  /** Adds an entry to the history, in the name of the process whose event happens now. */
  record(kind: string, data: Readonly<Record<string, unknown>> = {}): void {
    checkText("record: kind", kind);
    this.history.push({ at: this.#now, process: this.#current?.name ?? null, kind, data });
    const text = JSON.stringify(data);
    this.#hash.addText(kind);
    this.#hash.addText(text);
    this.note(() => `record ${JSON.stringify(kind)} ${text}`);
  }

  /** Runs the world for `ms` of true time. Only one world may run at a time. Throws `invalid_option`. */
  async run(ms: number): Promise<void> {
    checkDuration("run: ms", ms);
    const end = this.#now + ms;
    this.#runtime.install();
    this.#isRunning = true;
    try {
      await this.#runtime.repeat(() => this.#stepBefore(end));
      this.#now = end;
    } finally {
      this.#current = null;
      this.#isRunning = false;
      this.#runtime.restore();
    }
  }

  /** Returns a seed for one purpose, so that the random numbers of one part do not move those of another. */
  deriveSeed(purpose: string): number {
    return mixSeed(this.seed, purpose);
  }

  /** @internal Plans an event. */
  plan(ms: number, machine: Machine | null, label: string, run: () => void): SimulationEvent {
    const at = this.#now + (ms > 0 ? ms : 0);
    const event: SimulationEvent = {
      at,
      dueAt: at,
      order: this.#order++,
      machine,
      life: machine?.life ?? 0,
      label,
      run,
      isCancelled: false,
      origin: this.#isTraced ? planningPlaces(this.#isRunning) : undefined,
    };
    this.#heap.push(event);
    return event;
  }

  /** @internal Adds a line to the trace, for something that is no event of its own. */
  note(describe: () => string, machine: Machine | null = this.#current): void {
    if (this.#isTraced) this.trace.push(traceLine(this.elapsedMs, machine?.name, describe()));
  }

  /** @internal Records an error that nothing caught. */
  reportFailure(machine: Machine | null, error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.history.push({
      at: this.#now,
      process: machine?.name ?? null,
      kind: "uncaught",
      data: { error: text },
    });
    this.#hash.addText("uncaught");
    this.note(() => `uncaught ${firstLine(text)}`, machine);
  }

  /** Lets the next event happen. Returns false when none is due at this time or before. */
  #stepBefore(end: number): boolean {
    for (;;) {
      const event = this.#heap.peek();
      if (event === undefined || event.at > end) return false;
      this.#heap.pop();
      if (!this.#isDue(event)) continue;
      this.#step(event);
      return true;
    }
  }

  /** Whether the event happens now. An event of a frozen process is planned again for the end of the freeze. */
  #isDue(event: SimulationEvent): boolean {
    const { machine } = event;
    if (event.isCancelled) return false;
    if (machine === null) return true;
    if (!machine.isAlive || machine.life !== event.life) return false;
    if (machine.frozenUntil <= event.at) return true;
    event.at = machine.frozenUntil;
    this.#heap.push(event);
    return false;
  }

  #step(event: SimulationEvent): void {
    this.#now = event.at;
    this.#current = event.machine;
    this.#steps++;
    this.#hash.addNumber(event.order);
    this.#hash.addNumber(event.at * 8);
    this.#hash.addNumber(event.machine?.number ?? 0);
    if (this.#isTraced) {
      this.trace.push(traceLine(this.elapsedMs, event.machine?.name, event.label, event.origin));
    }
    try {
      event.run();
    } catch (error) {
      this.reportFailure(event.machine, error);
    }
  }
}
