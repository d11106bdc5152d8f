import type { Clock } from "../../core/clock.ts";

/** Told at most so often, … */
const PUBLISH_INTERVAL_MS = 1_000;
/** … and so many names of each list. */
const MAX_NAMES = 1_000;

/** Gathers what was used, by list, and tells it now and then. */
export class RecentlyUsed {
  readonly #clock: Clock;
  readonly #publish: (list: string, names: readonly string[]) => Promise<void>;
  readonly #lists = new Map<string, Set<string>>();
  #stop: (() => void) | null = null;

  /** What `tell` rejects with is dropped: others start a little colder. */
  constructor(clock: Clock, tell: (list: string, names: readonly string[]) => Promise<void>) {
    this.#clock = clock;
    this.#publish = tell;
  }

  add(list: string, name: string): void {
    let names = this.#lists.get(list);
    if (names === undefined) this.#lists.set(list, (names = new Set()));
    if (names.size < MAX_NAMES) names.add(name);
    this.#stop ??= this.#clock.after(PUBLISH_INTERVAL_MS, () => void this.#publishAll());
  }

  close(): void {
    this.#stop?.();
  }

  async #publishAll(): Promise<void> {
    const lists = [...this.#lists];
    this.#lists.clear();
    this.#stop = null;
    for (const [list, names] of lists) {
      try {
        await this.#publish(list, [...names]);
      } catch {
        continue;
      }
    }
  }
}
