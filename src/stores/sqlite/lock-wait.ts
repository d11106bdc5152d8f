import { awaitTurn, type Clock, sleep, systemClock } from "../../core/clock.ts";
import { isBusy, toStoreError } from "./errors.ts";

/*
 * How the store's own thread waits for the lock of another process. A commit takes a fraction of a millisecond, and a
 * timer waits for at least one. So the thread first blocks itself for shorter times, which costs no other work.
 */

/** How long the thread waits in short steps, ms. A lock that is held for longer is waited for with timers. */
const SHORT_WAIT_MS = 20;

const SHORTEST_STEP_MS = 0.05;
export const LONGEST_STEP_MS = 0.3;

const cell = new Int32Array(new SharedArrayBuffer(4));

/** Blocks this thread for `ms`, fractions included. */
export function blockThread(ms: number): void {
  Atomics.wait(cell, 0, 0, ms);
}

/**
 * Blocks this thread for one short step, then lets it read its messages. The step is random, so that two processes do
 * not keep missing each other. Only a thread without other work may call it.
 */
export async function waitOneStep(random: () => number): Promise<void> {
  blockThread(SHORTEST_STEP_MS + random() * (LONGEST_STEP_MS - SHORTEST_STEP_MS));
  await awaitTurn(systemClock);
}

/** How a command waits for the lock. */
export interface LockOptions {
  readonly description: string;
  readonly clock: Clock;
  readonly random: () => number;
  /** How long a command is tried while another process holds the lock. */
  readonly lockTimeoutMs: number;
  /** Whether the connection has its thread for itself, which may then block for fractions of a millisecond. */
  readonly ownThread?: boolean;
}

/** Runs `work` again while the file is locked, until `lockTimeoutMs` has passed. It sleeps between attempts. */
export async function retryWhileBusy<T>(options: LockOptions, work: () => T): Promise<T> {
  const { clock, lockTimeoutMs, description, ownThread = false } = options;
  const deadline = clock.monotonic() + lockTimeoutMs;
  const pause = ownThread ? stepwise(options) : withTimers(options);
  try {
    for (;;) {
      try {
        return work();
      } catch (error) {
        if (!isBusy(error) || clock.monotonic() >= deadline) throw toStoreError(description, error);
      }
      await pause.next();
    }
  } finally {
    pause.end();
  }
}

interface Pauses {
  readonly next: () => Promise<void>;
  readonly end: () => void;
}

/** The pauses of a thread that has other work. A commit takes less than a millisecond, and an attempt microseconds. */
function withTimers({ clock, random }: LockOptions): Pauses {
  let attempt = 0;
  const next = async () => await sleep(clock, Math.ceil(random() * Math.min(10, ++attempt)));
  return { next, end: () => {} };
}

/** The pauses of a thread without other work. They take real time, because the lock is held in real time. */
function stepwise({ clock, random, lockTimeoutMs }: LockOptions): Pauses {
  const startedAt = systemClock.monotonic();
  let attempt = 0;
  let stopTimer: (() => void) | null = null;
  return {
    async next() {
      if (systemClock.monotonic() - startedAt < SHORT_WAIT_MS) return await waitOneStep(random);
      // An injected clock tells its time with messages only. The timer makes it tell when the deadline has passed.
      stopTimer ??= clock.after(lockTimeoutMs, () => {});
      await sleep(systemClock, Math.ceil(random() * Math.min(10, ++attempt)));
    },
    end: () => stopTimer?.(),
  };
}
