import nodeCrypto from "node:crypto";
import { syncBuiltinESMExports } from "node:module";
import timersPromises from "node:timers/promises";
import { systemClock } from "../../core/clock.ts";
import { systemEntropy } from "../../core/entropy.ts";
import { seededRandom } from "../random.ts";
import { virtualCrypto } from "./virtual-crypto.ts";
import type { Scheduler } from "./scheduler.ts";

const realSetImmediate = globalThis.setImmediate;

/** Whether a world runs. The globals of the platform belong to one world at a time. */
let isWorldRunning = false;

type Restore = () => void;

/**
 * Replaces time and randomness of the platform while a world runs: timers, dates, `Math.random` and `node:crypto`. Each
 * process sees its own clocks, because every event belongs to one process and ends before the next one begins.
 */
export class VirtualRuntime {
  readonly #world: Scheduler;
  readonly #random: () => number;
  readonly #bytes: () => number;
  #restores: Restore[] = [];

  constructor(world: Scheduler) {
    this.#world = world;
    this.#random = seededRandom(world.deriveSeed("Math.random"));
    this.#bytes = seededRandom(world.deriveSeed("entropy"));
  }

  /** Resolves when every promise reaction of the last event has run. */
  async drain(): Promise<void> {
    await new Promise<void>((resolve) => void realSetImmediate(resolve));
  }

  /** Throws an `Error` when another world runs. */
  install(): void {
    if (isWorldRunning) throw new Error("another world runs: worlds run one after the other");
    isWorldRunning = true;
    this.#replaceClocks();
    this.#replaceTimers();
    this.#replaceRandom();
    const onUnhandled = (error: unknown) => this.#world.reportFailure(this.#world.current, error);
    process.on("unhandledRejection", onUnhandled);
    this.#restores.push(() => void process.off("unhandledRejection", onUnhandled));
    syncBuiltinESMExports();
  }

  restore(): void {
    for (const restore of this.#restores.splice(0).toReversed()) restore();
    syncBuiltinESMExports();
    isWorldRunning = false;
  }

  #replace<T extends object>(target: T, members: { readonly [K in keyof T]?: unknown }): void {
    for (const [name, value] of Object.entries(members)) {
      const before = Object.getOwnPropertyDescriptor(target, name);
      Object.defineProperty(target, name, {
        value,
        configurable: true,
        writable: true,
        enumerable: before?.enumerable ?? true,
      });
      this.#restores.push(() => {
        if (before === undefined) delete (target as Record<string, unknown>)[name];
        else Object.defineProperty(target, name, before);
      });
    }
  }

  #replaceClocks(): void {
    const world = this.#world;
    const now = () => world.current?.wallNow() ?? Math.floor(world.now);
    const monotonic = () => world.current?.monotonicNow() ?? world.elapsedMs;
    const RealDate = Date;
    class VirtualDate extends RealDate {
      constructor(...values: unknown[]) {
        super(...((values.length === 0 ? [now()] : values) as [number]));
      }
      static override now(): number {
        return now();
      }
      static override [Symbol.hasInstance](value: unknown): boolean {
        return Object.prototype.isPrototypeOf.call(RealDate.prototype, Object(value));
      }
    }
    this.#replace(globalThis, { Date: VirtualDate });
    this.#replace(RealDate, { now });
    this.#replace(performance, { now: monotonic });
    this.#replace(systemClock, {
      now,
      monotonic,
      after: (ms: number, fn: () => void) => this.#timer(ms, fn),
    });
  }

  /** A timer of the process whose event happens now. */
  #timer(ms: number, fn: () => void): () => void {
    const { current } = this.#world;
    return current === null ? this.#world.after(ms, fn) : current.planTimer(ms, fn);
  }

  #replaceTimers(): void {
    const setTimer = (fn: (...args: unknown[]) => void, ms = 1, ...args: unknown[]) =>
      new VirtualTimer(
        (callback) => this.#timer(ms, callback),
        () => fn(...args),
        false,
      );
    const setRepeated = (fn: (...args: unknown[]) => void, ms = 1, ...args: unknown[]) =>
      new VirtualTimer(
        (callback) => this.#timer(ms, callback),
        () => fn(...args),
        true,
      );
    const setTurn = (fn: (...args: unknown[]) => void, ...args: unknown[]) =>
      new VirtualTimer(
        (callback) => this.#turn(callback),
        () => fn(...args),
        false,
      );
    // A program may end a timer that began before the run.
    const orReal = (clear: (timer: never) => void) => (timer: unknown) => {
      if (timer instanceof VirtualTimer) timer.close();
      else clear(timer as never);
    };
    this.#replace(globalThis, {
      setTimeout: setTimer,
      setInterval: setRepeated,
      setImmediate: setTurn,
      clearTimeout: orReal(clearTimeout),
      clearInterval: orReal(clearInterval),
      clearImmediate: orReal(clearImmediate),
    });
    const sleep = async (ms: number, value?: unknown, options: { signal?: AbortSignal } = {}) =>
      await new Promise<unknown>((resolve, reject) => {
        const { signal } = options;
        const timer = setTimer(() => resolve(value), ms);
        const abort = () => {
          timer.close();
          reject(signal?.reason as Error);
        };
        if (signal?.aborted === true) return abort();
        signal?.addEventListener("abort", abort, { once: true });
      });
    this.#replace(timersPromises, { setTimeout: sleep });
    this.#replace(AbortSignal, {
      timeout: (ms: number) => {
        const controller = new AbortController();
        const reason = new DOMException("The operation was aborted due to timeout", "TimeoutError");
        this.#timer(ms, () => controller.abort(reason));
        return controller.signal;
      },
    });
  }

  /** The next turn of the event loop: an event of the same moment. */
  #turn(fn: () => void): () => void {
    const event = this.#world.plan(0, this.#world.current, "turn", fn);
    return () => {
      event.isCancelled = true;
    };
  }

  #replaceRandom(): void {
    this.#replace(Math, { random: this.#random });
    const members = virtualCrypto(this.#bytes);
    this.#replace(nodeCrypto, members.node);
    const { getRandomValues, randomUUID, digest } = members.web;
    this.#replace(globalThis.crypto, { getRandomValues, randomUUID });
    // Its pool would hand on bytes of the platform to the run, and bytes of the run to what comes after it.
    this.#replace(systemEntropy, members.entropy);
    this.#replace(globalThis.crypto.subtle, { digest });
  }
}

/** The object that `setTimeout` returns in Node. */
class VirtualTimer {
  readonly #start: (callback: () => void) => () => void;
  readonly #fn: () => void;
  readonly #isRepeated: boolean;
  #stop: () => void;

  constructor(start: (callback: () => void) => () => void, fn: () => void, isRepeated: boolean) {
    this.#start = start;
    this.#fn = fn;
    this.#isRepeated = isRepeated;
    this.#stop = start(this.#fire);
  }

  readonly #fire = (): void => {
    if (this.#isRepeated) this.#stop = this.#start(this.#fire);
    this.#fn();
  };

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }

  refresh(): this {
    this.#stop();
    this.#stop = this.#start(this.#fire);
    return this;
  }

  close(): this {
    this.#stop();
    return this;
  }
}
