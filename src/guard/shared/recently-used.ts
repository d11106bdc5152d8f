import type { Clock } from "../../core/clock.ts";

/** Names are published at most this often. */
const PUBLISH_INTERVAL_MS = 1_000;
/** Most names of a list that one publication holds. */
const MAX_NAMES = 1_000;

/** Collects the names that were used, by list, and publishes them in batches. */
export class RecentlyUsed {
  readonly #clock: Clock;
  readonly #publish: (list: string, names: readonly string[]) => Promise<void>;
  readonly #lists = new Map<string, Set<string>>();
  #stop: (() => void) | null = null;

  /** A rejection of `publish` is ignored, because the list only warms up starting instances. */
  constructor(clock: Clock, publish: (list: string, names: readonly string[]) => Promise<void>) {
    this.#clock = clock;
    this.#publish = publish;
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
