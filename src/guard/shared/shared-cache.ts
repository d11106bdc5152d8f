import { elapsedMs, readClock, type Clock, type Instant } from "../../core/clock.ts";
import { Histogram, type Counts } from "../../core/metrics.ts";
import { requireMethods } from "../../core/options.ts";
import { Breaker, type Permit } from "../../resilience/breaker.ts";
import { withDeadline } from "../../resilience/deadline.ts";
import type { SharedAnswers, SharedAnswersSource, SharedEntry } from "../../stores/shared-answers.ts";
import { Prober } from "../../resilience/prober.ts";
import { describeError, emit } from "../emit.ts";
import { breakerReporter } from "../metrics/record-request.ts";
import type { SharedStatus } from "../status-types.ts";
import { Batcher } from "../../resilience/batcher.ts";
import { RecentlyUsed } from "./recently-used.ts";
import { warmUp, type ReadableAnswers } from "./warm-up.ts";

/** Most reads, and most writes, in flight. Further tokens go to the authority. */
const MAX_IN_FLIGHT = 5_000;
/** Upper bounds of the times of reads, in seconds. */
const READ_BOUNDS = [2.5e-4, 5e-4, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1];
/** Delay of the probe after a failure. It spares a guard with few requests a deadline each. */
const PROBE_DELAY_MS = 1_000;

export interface SharedCacheOptions {
  readonly source: SharedAnswersSource;
  /** Name of the guard. */
  readonly name: string;
  readonly clock: Clock;
  readonly random: () => number;
  /** Counts the events of the guard that concern all issuers. */
  readonly eventCounts: Counts;
}

/** The shared answers of all issuers, behind a breaker. While they fail the guard works without them. */
export class SharedCache {
  readonly counts: Record<"hits" | "misses" | "rejected" | "skipped" | "lost" | "warmed", number> = {
    hits: 0,
    misses: 0,
    rejected: 0,
    skipped: 0,
    lost: 0,
    warmed: 0,
  };
  /** Times of reads in seconds. One read serves all tokens of a moment. */
  readonly readDurations: Histogram = new Histogram(READ_BOUNDS);
  readonly source: SharedAnswersSource;
  /** Resolves when the warm-up has ended, successful or not. Never rejects. */
  warmedUp: Promise<void> = Promise.resolve();
  readonly #clock: Clock;
  readonly #answers: SharedAnswers;
  readonly #breaker: Breaker;
  readonly #prober: Prober;
  readonly #closing = new AbortController();
  readonly #reads: Batcher<string, readonly (string | null)[] | undefined>;
  readonly #writes: Batcher<SharedEntry, boolean>;
  #inFlight = { reads: 0, writes: 0 };
  readonly #recentlyUsed: RecentlyUsed;
  /** When reads began to fail. `null` while they succeed. */
  #failedAt: Instant | null = null;
  #lastError: string | null = null;

  /** Throws `missing_method`. */
  constructor({ source, name: guard, clock, random, eventCounts }: SharedCacheOptions) {
    this.source = source;
    this.#clock = clock;
    this.#reads = new Batcher(clock, async (names) => await this.#get(names));
    this.#writes = new Batcher(clock, async (entries) => await this.#set(entries));
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
      onTransition: breakerReporter({ guard, issuer: null }, "shared"),
      onChange: (change) => {
        const opened = change === "opened";
        const message = opened
          ? `${this.#lastError}; shared answers are skipped`
          : "shared answers are read again";
        emit({ guard, issuer: null, eventCounts }, opened ? "shared_failed" : "shared_restored", message);
        this.#prober.schedule();
      },
    });
  }

  /** Whether reads are allowed. */
  get isServing(): boolean {
    return this.#breaker.state === "closed" && !this.#closing.signal.aborted;
  }

  /** Reads an entry. `null` when the name has no entry. `undefined` when the read failed. Never rejects. */
  async read(name: string): Promise<string | null | undefined> {
    if (!this.isServing || this.#inFlight.reads >= MAX_IN_FLIGHT) return undefined;
    this.#inFlight.reads++;
    const { result, index } = await this.#reads.add(name);
    this.#inFlight.reads--;
    return result?.[index];
  }

  /** Writes an entry and returns whether it was written. Never rejects. */
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

  /** Notes that an entry was used, for the warm-up of other instances. */
  recordUse(list: string, name: string): void {
    this.#recentlyUsed.add(list, name);
  }

  /** Starts the warm-up: `load` reads as soon as the connection is up. */
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
      // The guard is closed, so a failure has no effect.
    }
  }

  async #get(names: readonly string[]): Promise<readonly (string | null)[] | undefined> {
    const permit = this.#breaker.admit();
    return permit === null ? undefined : await this.#readAdmitted(permit, names);
  }

  async #readAdmitted(
    permit: Permit,
    names: readonly string[],
  ): Promise<readonly (string | null)[] | undefined> {
    const startedAt = this.#clock.monotonic();
    try {
      const texts = await this.#withinDeadline(async () => await this.#answers.get(names));
      if (!Array.isArray(texts) || texts.length !== names.length)
        throw new TypeError("not a list of answers");
      this.#failedAt = null;
      this.#lastError = null;
      this.#breaker.settle(permit, true);
      this.#recordRead(startedAt);
      return texts;
    } catch (error) {
      if (this.#closing.signal.aborted) return undefined;
      this.#recordRead(startedAt);
      const restartsDelay = this.#failedAt === null || permit.probe;
      if (restartsDelay) this.#failedAt = readClock(this.#clock);
      this.#lastError = describeError(error);
      this.#breaker.settle(permit, false);
      if (restartsDelay) this.#prober.schedule();
      return undefined;
    }
  }

  #recordRead(startedAt: number): void {
    this.readDurations.record((this.#clock.monotonic() - startedAt) / 1_000);
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
      // The probe records the error, and more probes follow until reads succeed.
      if (!signal.aborted) await this.#probe();
    }
  }

  async #probe(): Promise<void> {
    const permit = this.#breaker.admitProbe();
    if (permit !== null) await this.#readAdmitted(permit, ["probe"]);
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
