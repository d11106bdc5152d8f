import { elapsedMs, readClock, type Clock, type Instant } from "../../core/clock.ts";
import { requireMethods } from "../../core/options.ts";
import { Breaker, type Permit } from "../../resilience/breaker.ts";
import { withDeadline } from "../../resilience/deadline.ts";
import type { SharedAnswers, SharedAnswersSource, SharedEntry } from "../../stores/store.ts";
import { Prober } from "../../resilience/prober.ts";
import { describeError, emit } from "../emit.ts";
import type { SharedStatus } from "../types.ts";
import { Batcher } from "../../resilience/batcher.ts";
import { RecentlyUsed } from "./recently-used.ts";
import { warmUp, type ReadableAnswers } from "./warm-up.ts";

/** Reads, and writes, that are under way at most: the authority takes the rest. */
const MAX_IN_FLIGHT = 5_000;
/** After a failure the probe goes so soon: whoever asks seldom must not wait for each deadline in vain. */
const PROBE_DELAY_MS = 1_000;

export interface SharedCacheOptions {
  readonly source: SharedAnswersSource;
  /** The guard's. */
  readonly name: string;
  readonly clock: Clock;
  readonly random: () => number;
}

/** The place that instances share, behind a breaker. It may fail in every way: then it is as if it were not there. */
export class SharedCache {
  readonly counts: Record<"hits" | "misses" | "rejected" | "skipped" | "lost" | "warmed", number> = {
    hits: 0,
    misses: 0,
    rejected: 0,
    skipped: 0,
    lost: 0,
    warmed: 0,
  };
  readonly source: SharedAnswersSource;
  /** Ends when what was used last is here, or when nobody should wait for that any longer. */
  warmedUp: Promise<void> = Promise.resolve();
  readonly #clock: Clock;
  readonly #answers: SharedAnswers;
  readonly #breaker: Breaker;
  readonly #prober: Prober;
  readonly #closing = new AbortController();
  readonly #reads = new Batcher<string, readonly (string | null)[] | undefined>(
    async (names) => await this.#get(names),
  );
  readonly #writes = new Batcher<SharedEntry, boolean>(async (entries) => await this.#set(entries));
  #inFlight = { reads: 0, writes: 0 };
  readonly #recentlyUsed: RecentlyUsed;
  /** Since when the probe's time runs; `null` while it answers. */
  #failedAt: Instant | null = null;
  #lastError: string | null = null;

  /** Throws `missing_method`. */
  constructor({ source, name: guard, clock, random }: SharedCacheOptions) {
    this.source = source;
    this.#clock = clock;
    this.#answers = source.open({ clock, random });
    requireMethods("createGuard", "shared: what open() returns", this.#answers, [
      "get",
      "set",
      "used",
      "recent",
      "close",
    ]);
    this.#recentlyUsed = new RecentlyUsed(clock, async (list, names) => {
      if (this.isServing) await this.#answers.used(list, names);
    });
    this.#prober = new Prober({
      clock,
      nextProbeInMs: () => this.#probeDueMs(),
      probe: async () => await this.#probe(),
    });
    this.#breaker = new Breaker({
      clock,
      random,
      onChange: (change) => {
        const opened = change === "opened";
        const message = opened ? `${this.#lastError}; it is skipped` : "shared answers are read again";
        emit({ guard, issuer: null }, opened ? "shared_failed" : "shared_restored", message);
        this.#prober.schedule();
      },
    });
  }

  /** Whether there is any use in asking. */
  get isServing(): boolean {
    return this.#breaker.state === "closed" && !this.#closing.signal.aborted;
  }

  /** `null` when there is nothing; `undefined` when that was not found out. Never rejects. */
  async read(name: string): Promise<string | null | undefined> {
    if (!this.isServing || this.#inFlight.reads >= MAX_IN_FLIGHT) return undefined;
    this.#inFlight.reads++;
    const { result, index } = await this.#reads.add(name);
    this.#inFlight.reads--;
    return result?.[index];
  }

  /** Whether it was written. Never rejects. */
  async write(entry: SharedEntry): Promise<boolean> {
    if (!this.isServing || this.#inFlight.writes >= MAX_IN_FLIGHT) {
      this.counts.lost++;
      return false;
    }
    this.#inFlight.writes++;
    const { result } = await this.#writes.add(entry);
    this.#inFlight.writes--;
    return result;
  }

  /** Will be told before long, if there is room. */
  recordUse(list: string, name: string): void {
    this.#recentlyUsed.add(list, name);
  }

  /** Runs `load` as soon as there is a connection. */
  startWarmUp(load: (answers: ReadableAnswers) => Promise<void>): void {
    this.warmedUp = this.#warmUp(load);
  }

  status(): SharedStatus {
    const { description } = this.source;
    return { description, breaker: this.#breaker.state, ...this.counts, lastError: this.#lastError };
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#prober.close();
    this.#recentlyUsed.close();
    try {
      await this.#answers.close();
    } catch {
      // Nothing of it is needed any more.
    }
  }

  async #get(names: readonly string[]): Promise<readonly (string | null)[] | undefined> {
    const pass = this.#breaker.admit();
    return pass === null ? undefined : await this.#readAdmitted(pass, names);
  }

  async #readAdmitted(
    pass: Permit,
    names: readonly string[],
  ): Promise<readonly (string | null)[] | undefined> {
    try {
      const texts = await this.#withinDeadline(async () => await this.#answers.get(names));
      if (!Array.isArray(texts) || texts.length !== names.length) throw new TypeError("no list of answers");
      this.#failedAt = null;
      this.#lastError = null;
      this.#breaker.settle(pass, true);
      return texts;
    } catch (error) {
      if (this.#closing.signal.aborted) return undefined;
      const isNews = this.#failedAt === null || pass.probe;
      if (isNews) this.#failedAt = readClock(this.#clock);
      this.#lastError = describeError(error);
      this.#breaker.settle(pass, false);
      if (isNews) this.#prober.schedule();
      return undefined;
    }
  }

  async #set(entries: readonly SharedEntry[]): Promise<boolean> {
    try {
      await this.#withinDeadline(async () => await this.#answers.set(entries));
      return true;
    } catch {
      this.counts.lost += entries.length;
      return false;
    }
  }

  async #warmUp(load: (answers: ReadableAnswers) => Promise<void>): Promise<void> {
    const { signal } = this.#closing;
    try {
      await warmUp(this.#clock, this.#answers, load, signal);
    } catch {
      // Nobody waits for it any longer, and everybody shall know.
      if (!signal.aborted) await this.#probe();
    }
  }

  async #probe(): Promise<void> {
    const pass = this.#breaker.admitProbe();
    if (pass !== null) await this.#readAdmitted(pass, ["probe"]);
  }

  #probeDueMs(): number | null {
    const { state, retryAfterMs } = this.#breaker;
    if (this.#closing.signal.aborted || state === "half-open") return null;
    if (state === "open") return retryAfterMs;
    return this.#failedAt && Math.max(0, PROBE_DELAY_MS - elapsedMs(this.#clock, this.#failedAt));
  }

  async #withinDeadline<T>(work: () => Promise<T>): Promise<T> {
    const { description, timeoutMs } = this.source;
    return await withDeadline(this.#clock, description, timeoutMs, work, this.#closing.signal);
  }
}
