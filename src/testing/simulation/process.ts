import type { Clock } from "../../core/clock.ts";
import type { Entropy } from "../../core/entropy.ts";
import { seededEntropy } from "../entropy.ts";
import { seededRandom } from "../random.ts";
import { flagOption } from "../../core/option-values.ts";
import { readOptions, type OptionTable } from "../../core/options.ts";
import { checkDuration, checkNumber } from "./argument-checks.ts";
import type { RequestHandler, SimulatedFetch, SimulatedNetwork } from "./network.ts";
import type { Machine, Scheduler } from "./scheduler.ts";

/** The tools of a program in a simulated process. They belong to one life, and do nothing after a crash. */
export interface ProcessContext {
  /** Name of the process. */
  readonly name: string;
  /** 1 at the first start. It grows with each restart. */
  readonly life: number;
  /** The clocks of the machine. They may be wrong. */
  readonly clock: Clock;
  /** Returns a number from 0 up to 1, determined by the seed, the process and its life. */
  readonly random: () => number;
  /** Bytes for secrets, keys and ids, determined in the same way. */
  readonly entropy: Entropy;
  /** Requests over the simulated network. */
  readonly fetch: SimulatedFetch;
  /** Files that survive a crash, by name. */
  readonly disk: Map<string, string>;
  /** `false` once this life has ended. */
  readonly isAlive: boolean;
  /** Serves requests to a host name. Several processes may serve one name: each request goes to one of them. */
  readonly listen: (host: string, handler: RequestHandler) => void;
  /** Resolves after `ms` on the clock of the machine. */
  readonly sleep: (ms: number) => Promise<void>;
  /** Settles as the promise does, in an event of this process. It never settles once this life has ended. */
  readonly gate: <T>(promise: Promise<T>) => Promise<T>;
}

/** Runs when a process starts, and again after each restart. */
export type Program = (context: ProcessContext) => void | Promise<void>;

/** Sums of fractions of milliseconds are wrong by less than this. */
const CLOCK_ERROR_MS = 0.001;

/** How a crash looks from outside. */
export interface CrashOptions {
  /** The whole machine loses its power: open connections stay silent, and are not reset. Default `false`. */
  power?: boolean;
}

const crashOptionTable: OptionTable<Required<CrashOptions>> = { power: flagOption(false) };

/**
 * A process of a simulated world. It crashes, freezes and restarts, and its clocks step and drift.
 *
 * @example
 * ```ts
 * import { World } from "holdfast/testing/simulation";
 *
 * const world = new World({ seed: 1 });
 * const worker = world.process("worker", async ({ sleep, disk }) => {
 *   for (let done = Number(disk.get("done") ?? 0); ; done++) {
 *     disk.set("done", String(done));
 *     await sleep(1_000);
 *   }
 * });
 * world.after(4_500, () => worker.crash());
 * world.after(6_000, () => worker.start());
 * await world.run(10_000);
 * console.log(worker.disk.get("done")); // "7"
 * ```
 */
export class SimulatedProcess implements Machine {
  readonly name: string;
  readonly disk: Map<string, string> = new Map();
  /** Number of the process in its world, in order of creation. */
  readonly number: number;
  readonly #world: Scheduler;
  readonly #network: SimulatedNetwork;
  readonly #program: Program;
  #life = 0;
  #isAlive = false;
  #frozenUntil = 0;
  /** The clocks are straight lines from here: `wall` and `monotonic` at the true time `since`. */
  #since: number;
  #wall: number;
  #monotonic = 0;
  #rate = 1;
  /** Called at a crash, by the connections that are open. */
  readonly #onCrash: Set<() => void> = new Set();

  /** @internal A world creates its processes. */
  constructor(world: Scheduler, network: SimulatedNetwork, name: string, number: number, program: Program) {
    this.#world = world;
    this.#network = network;
    this.name = name;
    this.number = number;
    this.#program = program;
    this.#since = world.now;
    this.#wall = world.now;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  /** @internal */
  get life(): number {
    return this.#life;
  }

  /** True time at which a frozen process continues. 0 when it is not frozen. */
  get frozenUntil(): number {
    return this.#frozenUntil > this.#world.now ? this.#frozenUntil : 0;
  }

  /** The wall clock of the machine, epoch milliseconds. */
  wallNow(): number {
    return Math.floor(this.#wall + this.#elapsed());
  }

  /** The monotonic clock of the machine. */
  monotonicNow(): number {
    return this.#monotonic + this.#elapsed();
  }

  /** How far the wall clock of the machine is ahead of the true time, milliseconds. */
  get clockErrorMs(): number {
    return this.#wall + this.#elapsed() - this.#world.now;
  }

  /** Starts the program unless it runs. */
  start(): void {
    if (this.#isAlive) return;
    this.#isAlive = true;
    this.#life++;
    this.#frozenUntil = 0;
    const life = this.#life;
    this.#world.plan(0, this, `start ${life}`, () => {
      const context = this.#createContext();
      void (async () => await this.#program(context))().catch((error: unknown) => {
        this.#world.reportFailure(this, error);
      });
    });
  }

  /** Ends the life of the process: timers, promises and requests that it waits for are lost. */
  crash(options: CrashOptions = {}): void {
    const { power } = readOptions("crash", options, crashOptionTable);
    if (!this.#isAlive) return;
    this.#isAlive = false;
    this.#world.note(() => `crash ${this.name}${power ? " power" : ""}`);
    const listeners = [...this.#onCrash];
    this.#onCrash.clear();
    if (!power) for (const listener of listeners) listener();
  }

  /** Stops the process for `ms` of true time. Everything that was due happens late, in order. */
  freeze(ms: number): void {
    checkDuration("freeze: ms", ms);
    this.#world.note(() => `freeze ${this.name} ${ms} ms`);
    this.#stopFor(ms);
  }

  /** Suspends the machine for `ms`: as {@link freeze}, and its monotonic clock stands still. */
  suspend(ms: number): void {
    checkDuration("suspend: ms", ms);
    this.#world.note(() => `suspend ${this.name} ${ms} ms`);
    this.#rebase();
    const standsUntil = Math.max(this.#frozenUntil, this.#world.now);
    this.#monotonic -= Math.max(0, this.#world.now + ms - standsUntil) * this.#rate;
    this.#stopFor(ms);
  }

  #stopFor(ms: number): void {
    this.#frozenUntil = Math.max(this.#frozenUntil, this.#world.now + ms);
  }

  /** Sets the wall clock of the machine forward by `ms`, or back by a negative number. */
  stepClock(ms: number): void {
    checkNumber("stepClock: ms", ms, -Number.MAX_VALUE, "a finite number of milliseconds");
    this.#world.note(() => `step clock ${this.name} ${ms} ms`);
    this.#rebase();
    this.#wall += ms;
  }

  /** Lets both clocks run at another speed. 1.001 gains a millisecond each second. */
  setClockRate(rate: number): void {
    checkNumber("setClockRate: rate", rate, Number.MIN_VALUE, "a finite number above 0");
    this.#world.note(() => `clock rate ${this.name} ${rate}`);
    this.#rebase();
    this.#rate = rate;
  }

  /** @internal Calls `listener` at a crash that resets connections, until the returned function is called. */
  onCrash(listener: () => void): () => void {
    this.#onCrash.add(listener);
    return () => void this.#onCrash.delete(listener);
  }

  #elapsed(): number {
    return (this.#world.now - this.#since) * this.#rate;
  }

  #rebase(): void {
    const elapsed = this.#elapsed();
    this.#wall += elapsed;
    this.#monotonic += elapsed;
    this.#since = this.#world.now;
  }

  #createContext(): ProcessContext {
    const world = this.#world;
    const life = this.#life;
    const isAlive = () => this.#isAlive && this.#life === life;
    const startedAt = this.monotonicNow();
    const clock: Clock = {
      now: () => this.wallNow(),
      monotonic: () => this.monotonicNow() - startedAt,
      after: (ms, fn) => this.planTimer(ms, fn),
      turn: (fn) => void world.plan(0, this, "turn", fn),
    };
    return {
      name: this.name,
      life,
      clock,
      random: seededRandom(world.deriveSeed(`${this.name} ${life} random`)),
      entropy: seededEntropy(world.deriveSeed(`${this.name} ${life} entropy`)),
      fetch: this.#network.createFetch(this),
      disk: this.disk,
      get isAlive() {
        return isAlive();
      },
      listen: (host, handler) => {
        if (isAlive()) this.#network.listen(host, this, handler);
      },
      sleep: async (ms) => {
        checkDuration("sleep: ms", ms);
        await new Promise<void>((resolve) => void this.planTimer(ms, resolve));
      },
      gate: async (promise) => await this.gate(promise),
    };
  }

  /** @internal A timer of this life. As in Node, it follows the monotonic clock and takes at least 1 ms. */
  planTimer(ms: number, fn: () => void): () => void {
    const due = this.monotonicNow() + (ms >= 1 ? ms : 1);
    const fire = () => {
      // The timer is not due yet if the monotonic clock stood still for a while.
      const left = due - this.monotonicNow();
      if (left > CLOCK_ERROR_MS) event = this.#world.plan(left / this.#rate, this, "timer", fire);
      else fn();
    };
    let event = this.#world.plan((due - this.monotonicNow()) / this.#rate, this, "timer", fire);
    return () => {
      event.isCancelled = true;
    };
  }

  /** @internal */
  async gate<T>(promise: Promise<T>): Promise<T> {
    return await new Promise<T>((resolve, reject) => {
      const life = this.#life;
      const settle = (fn: () => void) => {
        if (this.#isAlive && this.#life === life) this.#world.plan(0, this, "gate", fn);
      };
      promise.then(
        (value) => settle(() => resolve(value)),
        (error) => settle(() => reject(error)),
      );
    });
  }
}
