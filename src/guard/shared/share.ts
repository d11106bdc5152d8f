import type { Clock } from "../../core/clock.ts";
import { TtlCache } from "../../resilience/ttl-cache.ts";
import type { AuthorityAnswer } from "../authority/authority.ts";
import { report, type Source } from "../report.ts";
import { Envelope, type Entry } from "./envelope.ts";
import type { SharedTier } from "./shared-tier.ts";
import type { Readable } from "./warm-up.ts";

/** How many entries are read at once when an instance starts. */
const WARM_GROUP = 200;
/** Counted for an entry besides its text. */
const ENTRY_BYTES = 200;
/** A longer one costs more to share than to ask for. */
const MAX_TEXT = 16_384;
/** What was read at the start takes up to this part of a memory besides the memory itself. */
const WARM_SHARE = 1 / 4;
const ALARM_PAUSE_MS = 10_000;

export interface ShareOptions {
  readonly tier: SharedTier;
  readonly source: Source;
  /** See `sharingPolicy`. */
  readonly policy: string;
  /** How long a yes counts from when the authority was asked. */
  readonly memoryTtlMs: number;
  /** How far clocks of instances may differ. */
  readonly toleranceMs: number;
  /** A part of it is for what is read at the start. */
  readonly memoryBytes: number;
  readonly clock: Clock;
}

/** An answer that was shared. */
export interface Recalled {
  readonly answer: AuthorityAnswer;
  /** How much longer it counts. */
  readonly leftMs: number;
  /** Of its text. */
  readonly bytes: number;
}

/** Rung 6 for one issuer: what instances under the same policy know of its tokens. */
export class Share {
  readonly #options: ShareOptions;
  readonly #envelope: Envelope;
  /** Read when the guard began, as it was found: it is opened when it is used. */
  readonly #warm: TtlCache<string>;
  /** Epoch ms: what the authority was asked before does not count. */
  #notBefore = -Infinity;
  #alarmedAt = -Infinity;

  constructor(options: ShareOptions) {
    this.#options = options;
    const { tier, policy, memoryBytes, clock } = options;
    this.#envelope = new Envelope(tier.source, policy);
    this.#warm = new TtlCache({ maxBytes: Math.ceil(memoryBytes * WARM_SHARE), clock });
  }

  /** Reads what was used last. Rejects when `answers` do. */
  async warmUp(answers: Readable): Promise<void> {
    const { tier, memoryTtlMs: ttlMs } = this.#options;
    const names = await answers.recent(this.#envelope.list);
    for (let i = 0; i < names.length; i += WARM_GROUP) {
      const group = names.slice(i, i + WARM_GROUP);
      const texts = await answers.get(group);
      for (const [j, name] of group.entries()) {
        const text = texts[j];
        if (typeof text !== "string" || text.length > MAX_TEXT) continue;
        this.#warm.set(name, text, { ttlMs, bytes: ENTRY_BYTES + text.length });
        tier.counts.warmed++;
      }
    }
  }

  /**
   * What may be known of one token: by what was signed, where it proved itself, because a signature has several
   * spellings; else by the digest of the whole.
   */
  question(digest: string, signedDigest: string | undefined): SharedQuestion {
    const id = signedDigest === undefined ? `opaque ${digest}` : `signed ${signedDigest}`;
    return new SharedQuestion(this.#envelope.name(id), this, this.#options.tier);
  }

  /** Opened before, at the start. */
  warm(name: string): Recalled | null {
    const text = this.#warm.get(name);
    if (text === undefined) return null;
    this.#warm.delete(name);
    return this.believe(name, text);
  }

  /** What the entry says, if it is to be believed and still counts. */
  believe(name: string, text: string): Recalled | null {
    const { tier, clock, memoryTtlMs: ttlMs, toleranceMs } = this.#options;
    const now = clock.now();
    const entry = text.length > MAX_TEXT ? null : this.#envelope.open(name, text);
    // Redis forgets what is over, and no clock is so far ahead.
    if (entry === null || entry.endsAt + toleranceMs < now || entry.askedAt > now + toleranceMs) {
      this.#reject();
      return null;
    }
    const { answer, askedAt, endsAt } = entry;
    const leftMs = (answer.status === "yes" ? Math.min(endsAt, askedAt + ttlMs) : endsAt) - now;
    if (leftMs <= 0 || askedAt <= this.#notBefore) return null;
    tier.counts.hits++;
    tier.use(this.#envelope.list, name);
    return { answer, leftMs, bytes: text.length };
  }

  /** Whether it was written. A yes takes no other answer's place: it may be older than that. */
  async write(name: string, entry: Entry): Promise<boolean> {
    const { tier, clock } = this.#options;
    const ttlMs = entry.endsAt - clock.now();
    const text = this.#envelope.seal(name, entry);
    if (ttlMs <= 0 || text.length > MAX_TEXT) return false;
    const isYes = entry.answer.status === "yes";
    if (isYes) tier.use(this.#envelope.list, name);
    return await tier.write({ name, text, ttlMs, replaces: !isYes });
  }

  /** The authority said no, and it is not known that this took the place of an older yes: none such counts here. */
  doubt(stepMs: number): void {
    const { clock, toleranceMs } = this.#options;
    this.#notBefore = Math.max(this.#notBefore, clock.now() + Math.abs(stepMs) + toleranceMs);
  }

  #reject(): void {
    const { tier, source, clock } = this.#options;
    tier.counts.rejected++;
    const now = clock.monotonic();
    if (now - this.#alarmedAt < ALARM_PAUSE_MS) return;
    this.#alarmedAt = now;
    const why = "none of ours, past its time or from the future";
    report(source, "shared_rejected", `an answer in ${tier.source.description} is not believed: ${why}`);
  }
}

/** What others know of one token, and what they are told of it. */
export class SharedQuestion {
  readonly #name: string;
  readonly #share: Share;
  readonly #tier: SharedTier;

  constructor(name: string, share: Share, tier: SharedTier) {
    this.#name = name;
    this.#share = share;
    this.#tier = tier;
  }

  /** At once when it is here or nobody is asked. Never rejects. `stepMs`: how far the clock is from where it should be. */
  recall(stepMs: number): Recalled | null | Promise<Recalled | null> {
    // Times of others say nothing to a clock that may be wrong.
    if (stepMs !== 0) return null;
    const here = this.#share.warm(this.#name);
    if (here !== null) return here;
    if (this.#tier.serves) return this.#read();
    this.#tier.counts.skipped++;
    return null;
  }

  /** Tells the others what the authority said; nobody waits for that. Never rejects. `stepMs` as above. */
  async tell(entry: Entry, stepMs: number): Promise<void> {
    const isTold = stepMs === 0 && (await this.#share.write(this.#name, entry));
    if (entry.answer.status === "no" && !isTold) this.#share.doubt(stepMs);
  }

  async #read(): Promise<Recalled | null> {
    const { counts } = this.#tier;
    const text = await this.#tier.read(this.#name);
    const recalled = typeof text === "string" ? this.#share.believe(this.#name, text) : null;
    if (recalled === null) counts[text === undefined ? "skipped" : "misses"]++;
    return recalled;
  }
}
