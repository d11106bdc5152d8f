import type { Clock } from "../../core/clock.ts";
import { TtlCache } from "../../resilience/ttl-cache.ts";
import type { AuthorityAnswer } from "../authority/authority.ts";
import { emit, type GuardEventSource } from "../emit.ts";
import { EntrySealer, type TimedAnswer } from "./sealed-entry.ts";
import type { SharedCache } from "./shared-cache.ts";
import type { ReadableAnswers } from "./warm-up.ts";

/** How many entries are read at once when an instance starts. */
const WARM_GROUP = 200;
/** Counted for an entry besides its text. */
const ENTRY_BYTES = 200;
/** A longer one costs more to share than to ask for. */
const MAX_TEXT_LENGTH = 16_384;
/** What was read at the start takes up to this part of a memory besides the memory itself. */
const WARM_SHARE = 1 / 4;
const ALARM_PAUSE_MS = 10_000;

export interface IssuerSharedCacheOptions {
  readonly cache: SharedCache;
  readonly source: GuardEventSource;
  /** See `sharingPolicy`. */
  readonly policyDigest: string;
  /** How long a yes counts from when the authority was asked. */
  readonly memoryTtlMs: number;
  /** How far clocks of instances may differ. */
  readonly toleranceMs: number;
  /** A part of it is for what is read at the start. */
  readonly memoryBytes: number;
  readonly clock: Clock;
}

/** An answer that was shared. */
export interface SharedHit {
  readonly answer: AuthorityAnswer;
  /** How much longer it counts. */
  readonly remainingMs: number;
  /** Of its text. */
  readonly bytes: number;
}

/** Rung 6 for one issuer: what instances under the same policy know of its tokens. */
export class IssuerSharedCache {
  readonly #options: IssuerSharedCacheOptions;
  readonly #sealer: EntrySealer;
  /** Read when the guard began, as it was found: it is opened when it is used. */
  readonly #warmEntries: TtlCache<string>;
  /** Epoch ms: what the authority was asked before does not count. */
  #notBefore = -Infinity;
  #alarmedAt = -Infinity;

  constructor(options: IssuerSharedCacheOptions) {
    this.#options = options;
    const { cache, policyDigest, memoryBytes, clock } = options;
    this.#sealer = new EntrySealer(cache.source, policyDigest);
    this.#warmEntries = new TtlCache({ maxBytes: Math.ceil(memoryBytes * WARM_SHARE), clock });
  }

  /** Reads what was used last. Rejects when `answers` do. */
  async warmUp(answers: ReadableAnswers): Promise<void> {
    const { cache, memoryTtlMs: ttlMs } = this.#options;
    const names = await answers.recent(this.#sealer.recentList);
    for (let i = 0; i < names.length; i += WARM_GROUP) {
      const group = names.slice(i, i + WARM_GROUP);
      const texts = await answers.get(group);
      for (const [j, name] of group.entries()) {
        const text = texts[j];
        if (typeof text !== "string" || text.length > MAX_TEXT_LENGTH) continue;
        this.#warmEntries.set(name, text, { ttlMs, bytes: ENTRY_BYTES + text.length });
        cache.counts.warmed++;
      }
    }
  }

  /**
   * What may be known of one token: by what was signed, where it proved itself, because a signature has several
   * spellings; else by the digest of the whole.
   */
  forToken(digest: string, signedDigest: string | undefined): TokenSharedCache {
    const id = signedDigest === undefined ? `opaque ${digest}` : `signed ${signedDigest}`;
    return new TokenSharedCache(this.#sealer.nameFor(id), this, this.#options.cache);
  }

  /** Opened before, at the start. */
  takeWarm(name: string): SharedHit | null {
    const text = this.#warmEntries.get(name);
    if (text === undefined) return null;
    this.#warmEntries.delete(name);
    return this.decode(name, text);
  }

  /** What the entry says, if it is to be believed and still counts. */
  decode(name: string, text: string): SharedHit | null {
    const { cache, clock, memoryTtlMs: ttlMs, toleranceMs } = this.#options;
    const now = clock.now();
    const entry = text.length > MAX_TEXT_LENGTH ? null : this.#sealer.open(name, text);
    // Redis forgets what is over, and no clock is so far ahead.
    if (entry === null || entry.expiresAt + toleranceMs < now || entry.askedAt > now + toleranceMs) {
      this.#reject();
      return null;
    }
    const { answer, askedAt, expiresAt } = entry;
    const leftMs = (answer.status === "yes" ? Math.min(expiresAt, askedAt + ttlMs) : expiresAt) - now;
    if (leftMs <= 0 || askedAt <= this.#notBefore) return null;
    cache.counts.hits++;
    cache.recordUse(this.#sealer.recentList, name);
    return { answer, remainingMs: leftMs, bytes: text.length };
  }

  /** Whether it was written. A yes takes no other answer's place: it may be older than that. */
  async write(name: string, entry: TimedAnswer): Promise<boolean> {
    const { cache, clock } = this.#options;
    const ttlMs = entry.expiresAt - clock.now();
    const text = this.#sealer.seal(name, entry);
    if (ttlMs <= 0 || text.length > MAX_TEXT_LENGTH) return false;
    const isYes = entry.answer.status === "yes";
    if (isYes) cache.recordUse(this.#sealer.recentList, name);
    return await cache.write({ name, text, ttlMs, replaces: !isYes });
  }

  /** The authority said no, and it is not known that this took the place of an older yes: none such counts here. */
  distrustOlder(stepMs: number): void {
    const { clock, toleranceMs } = this.#options;
    this.#notBefore = Math.max(this.#notBefore, clock.now() + Math.abs(stepMs) + toleranceMs);
  }

  #reject(): void {
    const { cache, source, clock } = this.#options;
    cache.counts.rejected++;
    const now = clock.monotonic();
    if (now - this.#alarmedAt < ALARM_PAUSE_MS) return;
    this.#alarmedAt = now;
    const why = "none of ours, past its time or from the future";
    emit(source, "shared_rejected", `an answer in ${cache.source.description} is not believed: ${why}`);
  }
}

/** What others know of one token, and what they are told of it. */
export class TokenSharedCache {
  readonly #name: string;
  readonly #issuerCache: IssuerSharedCache;
  readonly #cache: SharedCache;

  constructor(name: string, share: IssuerSharedCache, tier: SharedCache) {
    this.#name = name;
    this.#issuerCache = share;
    this.#cache = tier;
  }

  /** At once when it is here or nobody is asked. Never rejects. `stepMs`: how far the clock is from where it should be. */
  lookUp(stepMs: number): SharedHit | null | Promise<SharedHit | null> {
    // Times of others say nothing to a clock that may be wrong.
    if (stepMs !== 0) return null;
    const here = this.#issuerCache.takeWarm(this.#name);
    if (here !== null) return here;
    if (this.#cache.isServing) return this.#read();
    this.#cache.counts.skipped++;
    return null;
  }

  /** Tells the others what the authority said; nobody waits for that. Never rejects. `stepMs` as above. */
  async publish(entry: TimedAnswer, stepMs: number): Promise<void> {
    const isTold = stepMs === 0 && (await this.#issuerCache.write(this.#name, entry));
    if (entry.answer.status === "no" && !isTold) this.#issuerCache.distrustOlder(stepMs);
  }

  async #read(): Promise<SharedHit | null> {
    const { counts } = this.#cache;
    const text = await this.#cache.read(this.#name);
    const recalled = typeof text === "string" ? this.#issuerCache.decode(this.#name, text) : null;
    if (recalled === null) counts[text === undefined ? "skipped" : "misses"]++;
    return recalled;
  }
}
