import { HoldfastError } from "../core/errors.ts";
import type { BulkheadLimits } from "./bulkhead.ts";
import type { Lane } from "./two-lane-bulkhead.ts";

/** Whose task it is. The groups of a lane take turns, so that one group cannot take all places. */
export interface FairPlace {
  readonly lane: Lane;
  readonly group: string;
}

interface WaitingTask {
  readonly start: () => void;
  readonly refuse: (reason: unknown) => void;
}

/**
 * Bounds concurrent tasks, and shares the places among groups. The two lanes take turns, and so do the groups of a lane.
 * Each lane has `waiting` places. When they are taken, a task displaces the newest task of the largest group, unless its
 * own group would become as large.
 */
export class FairBulkhead {
  readonly #name: string;
  readonly #limits: BulkheadLimits;
  readonly #lanes: Readonly<Record<Lane, FairQueue>> = { known: new FairQueue(), unknown: new FairQueue() };
  #running = 0;
  #next: Lane = "known";

  /** `name` completes the error message "too many are waiting for …". */
  constructor(name: string, limits: BulkheadLimits) {
    this.#name = name;
    this.#limits = limits;
  }

  /** Tasks that have a place. */
  get runningCount(): number {
    return this.#running;
  }

  /** Tasks that wait for a place. */
  get waitingCount(): number {
    return this.#lanes.known.size + this.#lanes.unknown.size;
  }

  /**
   * Runs `task` as soon as the limit allows it. Rejects with `overloaded` when the task gets no place or loses it, and
   * with the reason of `signal` when it aborts while the task waits.
   */
  async run<T>(place: FairPlace, task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const free = await this.take(place, signal);
    try {
      return await task();
    } finally {
      free();
    }
  }

  /** Waits as {@link run} does. Returns the function that frees the place, which the caller must call once. */
  async take(place: FairPlace, signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted();
    if (this.#running < this.#limits.running) this.#running++;
    else await this.#wait(place, signal);
    return () => {
      // The next task takes over the place, so the count stays.
      if (!this.#startNext()) this.#running--;
    };
  }

  async #wait({ lane, group }: FairPlace, signal: AbortSignal | undefined): Promise<void> {
    const queue = this.#lanes[lane];
    if (queue.size >= this.#limits.waiting) {
      const displaced = queue.removeFromLargerThan(queue.sizeOf(group) + 1);
      if (displaced === undefined) throw this.#overloaded();
      displaced.refuse(this.#overloaded());
    }
    let waiting: WaitingTask | undefined;
    const leave = () => {
      if (waiting !== undefined && queue.remove(group, waiting)) waiting.refuse(signal?.reason);
    };
    signal?.addEventListener("abort", leave, { once: true });
    try {
      await new Promise<void>((start, refuse) => {
        waiting = { start, refuse };
        queue.add(group, waiting);
      });
    } finally {
      signal?.removeEventListener("abort", leave);
    }
  }

  #startNext(): boolean {
    const other = this.#next === "known" ? "unknown" : "known";
    for (const lane of [this.#next, other] as const) {
      const task = this.#lanes[lane].takeNext();
      if (task === undefined) continue;
      this.#next = lane === "known" ? "unknown" : "known";
      task.start();
      return true;
    }
    return false;
  }

  #overloaded(): HoldfastError {
    return new HoldfastError("overloaded", `too many are waiting for ${this.#name}`, { retryAfterMs: 1000 });
  }
}

/** Waiting tasks by group. The groups take turns in the order of the map. */
class FairQueue {
  readonly #groups = new Map<string, WaitingTask[]>();
  size = 0;

  sizeOf(group: string): number {
    return this.#groups.get(group)?.length ?? 0;
  }

  add(group: string, task: WaitingTask): void {
    const tasks = this.#groups.get(group);
    if (tasks === undefined) this.#groups.set(group, [task]);
    else tasks.push(task);
    this.size++;
  }

  takeNext(): WaitingTask | undefined {
    const next = this.#groups.entries().next().value;
    if (next === undefined) return undefined;
    const [group, tasks] = next;
    const task = tasks.shift();
    this.size--;
    this.#groups.delete(group);
    if (tasks.length > 0) this.#groups.set(group, tasks);
    return task;
  }

  remove(group: string, task: WaitingTask): boolean {
    const tasks = this.#groups.get(group) ?? [];
    const index = tasks.indexOf(task);
    if (index < 0) return false;
    tasks.splice(index, 1);
    this.size--;
    if (tasks.length === 0) this.#groups.delete(group);
    return true;
  }

  /** Removes the newest task of the largest group. `undefined` unless that group has more tasks than `size`. */
  removeFromLargerThan(size: number): WaitingTask | undefined {
    let largest: [string, WaitingTask[]] | undefined;
    for (const entry of this.#groups) {
      if (entry[1].length > (largest?.[1].length ?? size)) largest = entry;
    }
    const task = largest?.[1].at(-1);
    if (largest !== undefined && task !== undefined) this.remove(largest[0], task);
    return task;
  }
}
