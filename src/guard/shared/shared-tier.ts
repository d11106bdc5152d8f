import { elapsedMs, instant, type Clock, type Instant } from "../../core/clock.ts";
import { requireMethods } from "../../core/options.ts";
import { Breaker, type Pass } from "../../resilience/breaker.ts";
import { withDeadline } from "../../resilience/deadline.ts";
import type { SharedAnswers, SharedAnswersSource, SharedEntry } from "../../stores/contracts.ts";
import { Prober } from "../authority/prober.ts";
import { describe, report } from "../report.ts";
import type { SharedStatus } from "../types.ts";
import { Gatherer } from "./gatherer.ts";
import { UsedNames } from "./used-names.ts";
import { warmUp, type Readable } from "./warm-up.ts";

/** Reads, and writes, that are under way at most: the authority takes the rest. */
const MAX_UNDER_WAY = 5_000;
/** After a failure the probe goes so soon: whoever asks seldom must not wait for each deadline in vain. */
const PROBE_MS = 1_000;

export interface SharedTierOptions {
  readonly source: SharedAnswersSource;
  /** The guard's. */
  readonly name: string;
  readonly clock: Clock;
  readonly random: () => number;
}

/** The place that instances share, behind a breaker. It may fail in every way: then it is as if it were not there. */
export class SharedTier {
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
  warmed: Promise<void> = Promise.resolve();
  readonly #clock: Clock;
  readonly #answers: SharedAnswers;
  readonly #breaker: Breaker;
  readonly #prober: Prober;
  readonly #closing = new AbortController();
  readonly #reads = new Gatherer<string, readonly (string | null)[] | undefined>(
    async (names) => await this.#get(names),
  );
  readonly #writes = new Gatherer<SharedEntry, boolean>(async (entries) => await this.#set(entries));
  #underWay = { reads: 0, writes: 0 };
  readonly #used: UsedNames;
  /** Since when the probe's time runs; `null` while it answers. */
  #failedAt: Instant | null = null;
  #lastError: string | null = null;

  /** Throws `missing_method`. */
  constructor({ source, name: guard, clock, random }: SharedTierOptions) {
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
    this.#used = new UsedNames(clock, async (list, names) => {
      if (this.serves) await this.#answers.used(list, names);
    });
    this.#prober = new Prober({
      clock,
      dueMs: () => this.#probeDueMs(),
      probe: async () => await this.#probe(),
    });
    this.#breaker = new Breaker({
      clock,
      random,
      onChange: (change) => {
        const opened = change === "opened";
        const message = opened ? `${this.#lastError}; it is skipped` : "shared answers are read again";
        report({ guard, issuer: null }, opened ? "shared_failed" : "shared_restored", message);
        this.#prober.schedule();
      },
    });
  }

  /** Whether there is any use in asking. */
  get serves(): boolean {
    return this.#breaker.state === "closed" && !this.#closing.signal.aborted;
  }

  /** `null` when there is nothing; `undefined` when that was not found out. Never rejects. */
  async read(name: string): Promise<string | null | undefined> {
    if (!this.serves || this.#underWay.reads >= MAX_UNDER_WAY) return undefined;
    this.#underWay.reads++;
    const { outcome, index } = await this.#reads.add(name);
    this.#underWay.reads--;
    return outcome?.[index];
  }

  /** Whether it was written. Never rejects. */
  async write(entry: SharedEntry): Promise<boolean> {
    if (!this.serves || this.#underWay.writes >= MAX_UNDER_WAY) {
      this.counts.lost++;
      return false;
    }
    this.#underWay.writes++;
    const { outcome } = await this.#writes.add(entry);
    this.#underWay.writes--;
    return outcome;
  }

  /** Will be told before long, if there is room. */
  use(list: string, name: string): void {
    this.#used.add(list, name);
  }

  /** Runs `load` as soon as there is a connection. */
  start(load: (answers: Readable) => Promise<void>): void {
    this.warmed = this.#warmUp(load);
  }

  status(): SharedStatus {
    const { description } = this.source;
    return { description, breaker: this.#breaker.state, ...this.counts, lastError: this.#lastError };
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#prober.close();
    this.#used.close();
    try {
      await this.#answers.close();
    } catch {
      // Nothing of it is needed any more.
    }
  }

  async #get(names: readonly string[]): Promise<readonly (string | null)[] | undefined> {
    const pass = this.#breaker.admit();
    return pass === null ? undefined : await this.#ask(pass, names);
  }

  async #ask(pass: Pass, names: readonly string[]): Promise<readonly (string | null)[] | undefined> {
    try {
      const texts = await this.#within(async () => await this.#answers.get(names));
      if (!Array.isArray(texts) || texts.length !== names.length) throw new TypeError("no list of answers");
      this.#failedAt = null;
      this.#lastError = null;
      this.#breaker.settle(pass, true);
      return texts;
    } catch (error) {
      if (this.#closing.signal.aborted) return undefined;
      const isNews = this.#failedAt === null || pass.probe;
      if (isNews) this.#failedAt = instant(this.#clock);
      this.#lastError = describe(error);
      this.#breaker.settle(pass, false);
      if (isNews) this.#prober.schedule();
      return undefined;
    }
  }

  async #set(entries: readonly SharedEntry[]): Promise<boolean> {
    try {
      await this.#within(async () => await this.#answers.set(entries));
      return true;
    } catch {
      this.counts.lost += entries.length;
      return false;
    }
  }

  async #warmUp(load: (answers: Readable) => Promise<void>): Promise<void> {
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
    if (pass !== null) await this.#ask(pass, ["probe"]);
  }

  #probeDueMs(): number | null {
    const { state, retryAfterMs } = this.#breaker;
    if (this.#closing.signal.aborted || state === "half-open") return null;
    if (state === "open") return retryAfterMs;
    return this.#failedAt && Math.max(0, PROBE_MS - elapsedMs(this.#clock, this.#failedAt));
  }

  async #within<T>(work: () => Promise<T>): Promise<T> {
    const { description, timeoutMs } = this.source;
    return await withDeadline(this.#clock, description, timeoutMs, work, this.#closing.signal);
  }
}
