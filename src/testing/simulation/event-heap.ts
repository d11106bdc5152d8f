import type { SimulationEvent } from "./scheduler.ts";

/** The planned events of a world, the next one first. */
export class EventHeap {
  readonly #events: SimulationEvent[] = [];

  get size(): number {
    return this.#events.length;
  }

  /** The next event, which stays in the heap. */
  peek(): SimulationEvent | undefined {
    return this.#events[0];
  }

  push(event: SimulationEvent): void {
    const events = this.#events;
    let index = events.length;
    events.push(event);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = events[parent] as SimulationEvent;
      if (!isBefore(event, above)) break;
      events[index] = above;
      index = parent;
    }
    events[index] = event;
  }

  pop(): SimulationEvent | undefined {
    const events = this.#events;
    const first = events[0];
    const last = events.pop();
    if (first === undefined || last === undefined || events.length === 0) return first;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      const left = events[child];
      if (left === undefined) break;
      const right = events[child + 1];
      if (right !== undefined && isBefore(right, left)) child++;
      const next = events[child] as SimulationEvent;
      if (!isBefore(next, last)) break;
      events[index] = next;
      index = child;
    }
    events[index] = last;
    return first;
  }
}

/** Events that a freeze has delayed happen in the order in which they were due. */
function isBefore(one: SimulationEvent, other: SimulationEvent): boolean {
  if (one.at !== other.at) return one.at < other.at;
  return one.dueAt === other.dueAt ? one.order < other.order : one.dueAt < other.dueAt;
}
