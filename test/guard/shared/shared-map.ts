import type { Clock } from "../../../src/core/clock.ts";
import type { SharedAnswers, SharedAnswersSource, SharedEntry } from "../../../src/stores/shared-answers.ts";
import { redisAnswers } from "../../../src/stores/redis.ts";
import { secret } from "./fixture.ts";

/** Shared answers in memory, on a virtual clock, with faults that a test sets. */
export class SharedMap implements SharedAnswersSource {
  readonly description: string = "a map";
  readonly timeoutMs: number = 50;
  readonly kept: Map<string, { text: string; endsAt: number }> = new Map();
  readonly lists: Map<string, string[]> = new Map();
  /** Number of names of each read. */
  readonly reads: number[] = [];
  latencyMs = 0;
  /** Replaces the work of reads and writes. */
  fault: (() => unknown) | null = null;

  deriveKey(purpose: string): Uint8Array {
    return redisAnswers({ url: "redis://127.0.0.1", secret }).deriveKey(purpose);
  }

  open({ clock }: { clock: Clock }): SharedAnswers {
    const slowly = async <T>(work: () => T): Promise<T> => {
      if (this.latencyMs > 0) await new Promise<void>((go) => void clock.after(this.latencyMs, go));
      return this.fault === null ? work() : ((await this.fault()) as T);
    };
    const live = (name: string) => {
      const entry = this.kept.get(name);
      return entry !== undefined && entry.endsAt > clock.now() ? entry.text : null;
    };
    const set = ({ name, text, ttlMs, replaces }: SharedEntry) => {
      if (replaces || live(name) === null) this.kept.set(name, { text, endsAt: clock.now() + ttlMs });
    };
    return {
      get: async (names) => {
        this.reads.push(names.length);
        return await slowly(() => names.map(live));
      },
      set: async (entries) => await slowly(() => entries.forEach(set)),
      used: async (list, names) =>
        await slowly(() => {
          const others = (this.lists.get(list) ?? []).filter((name) => !names.includes(name));
          this.lists.set(list, [...names, ...others]);
        }),
      recent: async (list) => await slowly(() => this.lists.get(list) ?? []),
      close: async () => await Promise.resolve(),
    };
  }
}
