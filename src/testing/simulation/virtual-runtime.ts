import nodeCrypto from "node:crypto";
import { syncBuiltinESMExports } from "node:module";
import timersPromises from "node:timers/promises";
import { systemClock } from "../../core/clock.ts";
import { systemEntropy } from "../../core/entropy.ts";
import { seededRandom } from "../random.ts";
import { virtualCrypto } from "./virtual-crypto.ts";
import { virtualTimers } from "./virtual-timers.ts";
import type { Scheduler } from "./scheduler.ts";
import { VirtualResponse } from "./whole-response.ts";

const realSetImmediate = globalThis.setImmediate;
/** Steps that share one turn of the event loop of the platform. A turn asks the system for events, which takes time. */
const STEPS_A_TURN = 100;

/** Whether a world runs. The globals of the platform belong to one world at a time. */
let isWorldRunning = false;

/** Events of the process for an error that nothing caught. */
const UNCAUGHT_EVENTS = ["unhandledRejection", "uncaughtException"] as const;

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

  /**
   * Calls `step` until it returns false, or throws. Every promise reaction of a step has run before the next one: Node
   * runs them between two immediates.
   */
  async repeat(step: () => boolean): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      let planned = 0;
      let isOver = false;
      const planSteps = () => {
        for (; planned < STEPS_A_TURN; planned++) realSetImmediate(takeStep);
      };
      const takeStep = () => {
        planned--;
        if (isOver) return;
        try {
          isOver = !step();
        } catch (error) {
          isOver = true;
          reject(error);
          return;
        }
        if (isOver) resolve();
        else if (planned === 0) planSteps();
      };
      planSteps();
    });
  }

  /** Throws an `Error` when another world runs. After an error nothing is replaced. */
  install(): void {
    if (isWorldRunning) throw new Error("another world runs: worlds run one after the other");
    isWorldRunning = true;
    try {
      this.#replaceClocks();
      this.#replaceTimers();
      this.#replaceRandom();
      this.#replace(globalThis, { Response: VirtualResponse });
      for (const event of UNCAUGHT_EVENTS) this.#takeOver(event);
      syncBuiltinESMExports();
    } catch (error) {
      this.restore();
      throw error;
    }
  }

  /** Restores everything that can be restored, and then throws the first error. */
  restore(): void {
    const errors: unknown[] = [];
    for (const restore of this.#restores.splice(0).toReversed()) {
      try {
        restore();
      } catch (error) {
        errors.push(error);
      }
    }
    syncBuiltinESMExports();
    isWorldRunning = false;
    if (errors.length > 0) throw errors[0];
  }

  /**
   * Records the errors that reach the process. The listeners of others stay away for the run: that of `node:test` fails
   * the test at once.
   */
  #takeOver(event: (typeof UNCAUGHT_EVENTS)[number]): void {
    const emitter: NodeJS.EventEmitter = process;
    const record = (error: unknown) => this.#world.reportFailure(this.#world.current, error);
    const others = emitter.rawListeners(event) as ((...args: unknown[]) => void)[];
    for (const listener of others) emitter.off(event, listener);
    emitter.on(event, record);
    this.#restores.push(() => {
      emitter.off(event, record);
      for (const listener of others) emitter.on(event, listener);
    });
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
    const VirtualDate = new Proxy(RealDate, {
      apply: () => new RealDate(now()).toString(),
      construct: (target, values, newTarget) =>
        Reflect.construct(target, values.length === 0 ? [now()] : values, newTarget) as Date,
    });
    this.#replace(globalThis, { Date: VirtualDate });
    this.#replace<object>(RealDate.prototype, { constructor: VirtualDate });
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
    return current === null ? this.#world.planTimer(ms, fn) : current.planTimer(ms, fn);
  }

  #replaceTimers(): void {
    const { global, promises, scheduler, abortSignal } = virtualTimers({
      after: (ms, fn) => this.#timer(ms, fn),
      turn: (fn) => this.#turn(fn),
    });
    this.#replace(globalThis, global);
    this.#replace(timersPromises, promises);
    this.#replace(timersPromises.scheduler, scheduler);
    this.#replace(AbortSignal, abortSignal);
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
