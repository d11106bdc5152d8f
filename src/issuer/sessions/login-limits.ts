import { hash } from "node:crypto";
import { networkOf, type PrefixBits } from "../../core/address.ts";
import { elapsedMs, readClock, type Clock, type Instant } from "../../core/clock.ts";
import { systemEntropy, type Entropy } from "../../core/entropy.ts";
import { HmacKey } from "../../core/hmac.ts";
import type { FairPlace } from "../../resilience/fair-bulkhead.ts";
import { TtlCache } from "../../resilience/ttl-cache.ts";
import type { AttemptTotal } from "../../stores/attempt-store.ts";
import type { SharedAttempts } from "./shared-attempts.ts";

/** Limits of wrong credentials within this window: for one account from one source, and for one source in total. */
const WINDOW_MS = 15 * 60_000;
const PER_ACCOUNT_AND_SOURCE = 10;
const PER_SOURCE = 100;

/**
 * Limits of the wider networks of an IPv6 source. One customer can have a whole /48, and an attacker there has 65,536
 * sources. The limits grow, so that a few customers of a provider do not refuse all others.
 */
const widerNetworks: readonly (readonly [bits: PrefixBits, max: number])[] = [
  [{ ipv4: 32, ipv6: 56 }, 2 * PER_SOURCE],
  [{ ipv4: 32, ipv6: 48 }, 4 * PER_SOURCE],
];

/** The sources of one such network share their turns in the pool of password checks. */
const sharedTurns: PrefixBits = { ipv4: 24, ipv6: 48 };

/** Memory for about 30,000 counts of each kind. A flood of sources evicts counts that were not used lately. */
const MAX_BYTES = 8 * 1024 * 1024;
const BYTES_PER_COUNT = 256;

/** Memory for about 16,000 pairs of an account and a source that logged in with it. */
const MAX_KNOWN_BYTES = 2 * 1024 * 1024;
const BYTES_PER_KNOWN = 128;
const KNOWN_MS = 30 * 86_400_000;

/** The longest text of a source that counts. */
const MAX_SOURCE_CHARS = 64;

/** Begins with its first attempt and ends one window later. Later attempts do not extend it. */
interface AttemptCount {
  readonly key: string;
  readonly kind: "source" | "account";
  startedAt: Instant;
  /** The attempts of this process. */
  wrong: number;
  /** The attempts of all processes, as far as this process knows. */
  shared: number;
  /** Attempts whose credentials are being checked. They count before the check, so that parallel guesses count. */
  underWay: number;
  isReported: boolean;
}

/** A count that the attempt takes part in, and its limit. */
type Counted = readonly [count: AttemptCount, max: number];

/**
 * The end of an attempt. `unchecked` means that the credentials could not be checked. `abandoned` means that the client
 * went away. `used` means that the proof of the login has begun a session before. Both cost the source an attempt and say
 * nothing about the account.
 */
export type AttemptResult = "correct" | "wrong" | "unchecked" | "abandoned" | "used";

type LoginAttempt =
  | {
      readonly status: "allowed";
      /** The place of its password check in the pool. */
      readonly place: FairPlace;
      /** Must be called once. */
      readonly settle: (result: AttemptResult) => void;
    }
  /** `firstInWindow` is true for the first refusal of a window. */
  | { readonly status: "limited"; readonly retryAfterMs: number; readonly firstInWindow: boolean };

/**
 * Counts wrong credentials by source, and by account and source. With a source, no limit applies to an account alone,
 * because a stranger could then lock its user out. An attempt without a source counts by account only, because all
 * clients would otherwise share one count.
 */
export class LoginLimits {
  readonly #clock: Clock;
  /** `null` when this process counts by itself. */
  readonly #sharedAttempts: Pick<SharedAttempts, "add"> | null;
  readonly #bySource: TtlCache<AttemptCount>;
  readonly #byAccountAndSource: TtlCache<AttemptCount>;
  /** Digests of accounts and the sources that logged in with them. The key is secret, so the memory reveals no names. */
  readonly #known: TtlCache<true>;
  readonly #digestKey: HmacKey;

  constructor(
    clock: Clock,
    sharedAttempts: Pick<SharedAttempts, "add"> | null = null,
    entropy: Entropy = systemEntropy,
  ) {
    this.#clock = clock;
    this.#digestKey = new HmacKey("sha256", entropy.bytes(32));
    this.#sharedAttempts = sharedAttempts;
    this.#bySource = new TtlCache({ maxBytes: MAX_BYTES, clock });
    this.#byAccountAndSource = new TtlCache({ maxBytes: MAX_BYTES, clock });
    this.#known = new TtlCache({ maxBytes: MAX_KNOWN_BYTES, clock });
  }

  /**
   * `readAccounts` returns the accounts that the credentials may mean. It is called after the count of the source, so
   * that a refused source costs no work on its credentials.
   */
  attempt(readAccounts: () => readonly string[], source: string | undefined): LoginAttempt {
    const ownSource = source?.slice(0, MAX_SOURCE_CHARS);
    const network = ownSource === undefined ? null : networkOf(ownSource);
    const sources: Counted[] = network === null ? [] : [[this.#getOrStart("source", network), PER_SOURCE]];
    const refusedSource = this.#refusalOf(sources);
    if (refusedSource !== null) return refusedSource;
    const accounts = readAccounts();
    const isKnown = accounts.length > 0 && accounts.every((account) => this.#isKnown(account, network));
    // A source that logged in to this account before is not refused for what its neighbours do.
    if (ownSource !== undefined && !isKnown) sources.push(...this.#widerCounts(ownSource));
    const pairs = accounts.map((account): Counted => {
      const pair = hash("sha256", JSON.stringify([account, network]), "base64url");
      return [this.#getOrStart("account", pair), PER_ACCOUNT_AND_SOURCE];
    });
    const refused = this.#refusalOf([...sources, ...pairs]);
    if (refused !== null) return refused;
    for (const [count] of [...sources, ...pairs]) count.underWay++;
    const settle = (result: AttemptResult) => {
      for (const [count] of [...sources, ...pairs]) count.underWay--;
      if (result !== "correct" && result !== "unchecked")
        for (const [count] of sources) this.#recordWrong(count);
      if (result === "wrong") for (const [count] of pairs) this.#recordWrong(count);
      const [account, another] = accounts;
      // Credentials that name several accounts were right for one of them only.
      if (result !== "correct" || account === undefined || another !== undefined) return;
      for (const [count] of pairs) this.#reset(count);
      if (network !== null) this.#remember(account, network);
    };
    const group = ownSource === undefined ? "unknown" : networkOf(ownSource, sharedTurns);
    return { status: "allowed", place: { lane: isKnown ? "known" : "unknown", group }, settle };
  }

  /** Counts of wider networks, without those that are equal to the source's own. */
  #widerCounts(source: string): Counted[] {
    if (!source.includes(":")) return [];
    return widerNetworks.map(([bits, max]) => [this.#getOrStart("source", networkOf(source, bits)), max]);
  }

  #isKnown(account: string, network: string | null): boolean {
    return network !== null && this.#known.get(this.#digest(account, network)) === true;
  }

  #remember(account: string, network: string): void {
    this.#known.set(this.#digest(account, network), true, { ttlMs: KNOWN_MS, bytes: BYTES_PER_KNOWN });
  }

  #digest(account: string, network: string): string {
    const text = JSON.stringify([account, network]);
    return this.#digestKey.digest(text).toString("base64url");
  }

  #getOrStart(kind: AttemptCount["kind"], key: string): AttemptCount {
    const counts = this.#countsOf(kind);
    const known = counts.get(key);
    if (known !== undefined) return known;
    const startedAt = readClock(this.#clock);
    const count: AttemptCount = { key, kind, startedAt, wrong: 0, shared: 0, underWay: 0, isReported: false };
    counts.set(key, count, { ttlMs: WINDOW_MS, bytes: BYTES_PER_COUNT });
    return count;
  }

  #countsOf(kind: AttemptCount["kind"]): TtlCache<AttemptCount> {
    return kind === "source" ? this.#bySource : this.#byAccountAndSource;
  }

  #recordWrong(count: AttemptCount): void {
    count.wrong++;
    count.shared++;
    this.#share(count, 1);
  }

  #reset(count: AttemptCount): void {
    // Other processes may have counted attempts that this one does not know. No count of the store falls below 0.
    this.#share(count, -Math.max(count.shared, PER_ACCOUNT_AND_SOURCE));
    count.wrong = 0;
    count.shared = 0;
  }

  #share({ kind, key }: AttemptCount, added: number): void {
    this.#sharedAttempts?.add(`${kind} ${key}`, added, WINDOW_MS, (total) => this.#merge(kind, key, total));
  }

  /** Takes over the total, and the window when that of the store ends earlier. */
  #merge(kind: AttemptCount["kind"], key: string, { count: shared, endsInMs }: AttemptTotal): void {
    const counts = this.#countsOf(kind);
    const count = counts.get(key);
    if (count === undefined) return;
    count.shared = shared;
    const passedMs = WINDOW_MS - endsInMs;
    if (passedMs <= elapsedMs(this.#clock, count.startedAt)) return;
    const { wall, monotonic } = readClock(this.#clock);
    count.startedAt = { wall: wall - passedMs, monotonic: monotonic - passedMs };
    counts.set(key, count, { ttlMs: endsInMs, bytes: BYTES_PER_COUNT });
  }

  /**
   * `null` when every count is below its limit. Attempts under way may still be right, so where only they reach the
   * limit, the client may try again after a second.
   */
  #refusalOf(counted: readonly Counted[]): Extract<LoginAttempt, { status: "limited" }> | null {
    const [exceeded, exceededMax = 0] = counted.find(([count, max]) => countedBy(count) >= max) ?? [];
    if (exceeded !== undefined) {
      // The right password at another process may have reset the count of the store.
      if (exceeded.wrong < exceededMax) this.#share(exceeded, 0);
      const firstInWindow = !exceeded.isReported;
      exceeded.isReported = true;
      const retryAfterMs = Math.max(1000, WINDOW_MS - elapsedMs(this.#clock, exceeded.startedAt));
      return { status: "limited", retryAfterMs, firstInWindow };
    }
    const isBusy = counted.some(([count, max]) => countedBy(count) + count.underWay >= max);
    return isBusy ? { status: "limited", retryAfterMs: 1000, firstInWindow: false } : null;
  }
}

/** A store that lost its counts does not lower what this process has counted. */
function countedBy({ wrong, shared }: AttemptCount): number {
  return Math.max(wrong, shared);
}
