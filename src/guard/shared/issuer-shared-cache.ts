import type { Clock } from "../../core/clock.ts";
import type { Entropy } from "../../core/entropy.ts";
import { TtlCache } from "../../resilience/ttl-cache.ts";
import type { AuthorityAnswer } from "../authority/authority.ts";
import { emit, type GuardEventSource } from "../emit.ts";
import { EntrySealer, type TimedAnswer } from "./sealed-entry.ts";
import type { SharedCache } from "./shared-cache.ts";
import type { ReadableAnswers } from "./warm-up.ts";

/** Entries that one read of the warm-up fetches. */
const WARM_UP_BATCH = 200;
/** Memory of an entry in addition to its text. */
const ENTRY_BYTES = 200;
/** A longer entry costs more to share than a question to the authority. */
const MAX_TEXT_LENGTH = 16_384;
/** The entries of the warm-up may take this fraction of `memoryBytes`, in addition to the result cache. */
const WARM_UP_FRACTION = 1 / 4;
/** `shared_rejected` is emitted at most this often. */
const REJECTED_EVENT_INTERVAL_MS = 10_000;

export interface IssuerSharedCacheOptions {
  readonly cache: SharedCache;
  readonly source: GuardEventSource;
  /** See `policyDigest` in policy-digest.ts. */
  readonly policyDigest: string;
  /** How long a positive answer counts, from the time of the question. */
  readonly memoryTtlMs: number;
  /** Tolerated difference between the clocks of two instances. */
  readonly toleranceMs: number;
  /** Size of the result cache, from which the size of the warm-up follows. */
  readonly memoryBytes: number;
  readonly clock: Clock;
  readonly entropy: Entropy;
}

/** An answer from the shared cache. */
export interface SharedHit {
  readonly answer: AuthorityAnswer;
  /** Remaining life, milliseconds. */
  readonly remainingMs: number;
  /** Length of the stored text. */
  readonly bytes: number;
}

/**
 * Identifies a token to other instances, by SHA-256. A verified token has the digest of its signed part, because one
 * signature has several encodings. Every other token has the digest of the whole token.
 */
export type SharedTokenId = `signed ${string}` | `opaque ${string}`;

/** Step 6 of a validation, for one issuer: the answers that instances with the same policy share. */
export class IssuerSharedCache {
  readonly #options: IssuerSharedCacheOptions;
  readonly #sealer: EntrySealer;
  /** Entries of the warm-up by name. They stay sealed until their token is validated. */
  readonly #warmEntries: TtlCache<string>;
  /** Answers to questions before this time do not count. Epoch milliseconds. */
  #notBefore = -Infinity;
  #rejectedEventAt = -Infinity;

  constructor(options: IssuerSharedCacheOptions) {
    this.#options = options;
    const { cache, policyDigest, memoryBytes, clock, entropy } = options;
    this.#sealer = new EntrySealer(cache.source, policyDigest, entropy);
    this.#warmEntries = new TtlCache({ maxBytes: Math.ceil(memoryBytes * WARM_UP_FRACTION), clock });
  }

  /** Reads the recently used entries. Rejects when `answers` does. */
  async warmUp(answers: ReadableAnswers): Promise<void> {
    const { cache, memoryTtlMs: ttlMs } = this.#options;
    const names = await answers.recent(this.#sealer.recentList);
    for (let i = 0; i < names.length; i += WARM_UP_BATCH) {
      const group = names.slice(i, i + WARM_UP_BATCH);
      const texts = await answers.get(group);
      for (const [j, name] of group.entries()) {
        const text = texts[j];
        if (typeof text !== "string" || text.length > MAX_TEXT_LENGTH) continue;
        this.#warmEntries.set(name, text, { ttlMs, bytes: ENTRY_BYTES + text.length });
        cache.counts.warmed++;
      }
    }
  }

  /** The shared cache of one token. */
  forToken(id: SharedTokenId): TokenSharedCache {
    return new TokenSharedCache(this.#sealer.nameFor(id), this, this.#options.cache);
  }

  /** Removes and decodes an entry of the warm-up. `null` when it is missing, not authentic or expired. */
  takeWarm(name: string): SharedHit | null {
    const text = this.#warmEntries.get(name);
    if (text === undefined) return null;
    this.#warmEntries.delete(name);
    return this.decode(name, text);
  }

  /** Opens and checks an entry. `null` when it is not authentic, or no longer counts. */
  decode(name: string, text: string): SharedHit | null {
    const { cache, clock, memoryTtlMs: ttlMs, toleranceMs } = this.#options;
    const now = clock.now();
    const entry = text.length > MAX_TEXT_LENGTH ? null : this.#sealer.open(name, text);
    // Redis expires entries, so an expired one was put back. One from the future comes from a wrong clock.
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

  /**
   * Stores an answer and returns whether it was stored. A positive answer never replaces another, because it may be
   * older.
   */
  async write(name: string, entry: TimedAnswer): Promise<boolean> {
    const { cache, clock } = this.#options;
    const ttlMs = entry.expiresAt - clock.now();
    const text = this.#sealer.seal(name, entry);
    if (ttlMs <= 0 || text.length > MAX_TEXT_LENGTH) return false;
    const isPositive = entry.answer.status === "yes";
    if (isPositive) cache.recordUse(this.#sealer.recentList, name);
    return await cache.write({ name, text, ttlMs, replaces: !isPositive });
  }

  /**
   * Ignores all answers to earlier questions. It is called after a denial that was not stored, because an older positive
   * answer may still be shared.
   */
  distrustOlder(stepMs: number): void {
    const { clock, toleranceMs } = this.#options;
    this.#notBefore = Math.max(this.#notBefore, clock.now() + Math.abs(stepMs) + toleranceMs);
  }

  #reject(): void {
    const { cache, source, clock } = this.#options;
    cache.counts.rejected++;
    const now = clock.monotonic();
    if (now - this.#rejectedEventAt < REJECTED_EVENT_INTERVAL_MS) return;
    this.#rejectedEventAt = now;
    const why = "it is not authentic, expired or from the future";
    emit(source, "shared_rejected", `an answer in ${cache.source.description} is ignored: ${why}`);
  }
}

/** Looks up and publishes the answer to one token. */
export class TokenSharedCache {
  readonly #name: string;
  readonly #issuerCache: IssuerSharedCache;
  readonly #cache: SharedCache;

  constructor(name: string, share: IssuerSharedCache, tier: SharedCache) {
    this.#name = name;
    this.#issuerCache = share;
    this.#cache = tier;
  }

  /**
   * Finds an answer. The result is synchronous when no read is needed. Never rejects. `stepMs` is the deviation of the
   * wall clock.
   */
  lookUp(stepMs: number): SharedHit | null | Promise<SharedHit | null> {
    // The times of other instances cannot be compared with a wrong clock.
    if (stepMs !== 0) return null;
    const warm = this.#issuerCache.takeWarm(this.#name);
    if (warm !== null) return warm;
    if (this.#cache.isServing) return this.#read();
    this.#cache.counts.skipped++;
    return null;
  }

  /** Shares an answer of the authority in the background. Never rejects. `stepMs` is the deviation of the wall clock. */
  async publish(entry: TimedAnswer, stepMs: number): Promise<void> {
    const isStored = stepMs === 0 && (await this.#issuerCache.write(this.#name, entry));
    if (entry.answer.status === "no" && !isStored) this.#issuerCache.distrustOlder(stepMs);
  }

  async #read(): Promise<SharedHit | null> {
    const { counts } = this.#cache;
    const text = await this.#cache.read(this.#name);
    const recalled = typeof text === "string" ? this.#issuerCache.decode(this.#name, text) : null;
    if (recalled === null) counts[text === undefined ? "skipped" : "misses"]++;
    return recalled;
  }
}
