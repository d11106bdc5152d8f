import { hash } from "node:crypto";
import { elapsedMs, instant, type Clock, type Instant } from "../core/clock.ts";
import { TtlCache } from "../resilience/ttl-cache.ts";

/** Wrong attempts in a quarter of an hour: for one account from one source, and from one source in all. */
const WINDOW_MS = 15 * 60_000;
const PER_ACCOUNT_AND_SOURCE = 10;
const PER_SOURCE = 100;

/** Of each kind, room for some 30,000 counts: a flood of sources makes us forget the idlest, not run out of memory. */
const MAX_BYTES = 8 * 1024 * 1024;
const BYTES_PER_COUNT = 256;

/** Begins with its first attempt and ends a window later, whatever is tried meanwhile. */
interface Count {
  readonly began: Instant;
  attempts: number;
  exceeded: boolean;
}

type Attempt =
  | {
      readonly status: "allowed";
      /** Unless the credentials were wrong. Right ones let the account start anew; `unknown` does not count. */
      readonly settle: (credentials: "right" | "unknown") => void;
    }
  /** `first` in its window. */
  | { readonly status: "limited"; readonly retryAfterMs: number; readonly first: boolean };

/**
 * Counts attempts before they are made, so that parallel ones count too. Never by account alone: nobody can lock
 * another one out.
 */
export class LoginLimits {
  readonly #clock: Clock;
  readonly #bySource: TtlCache<Count>;
  readonly #byBoth: TtlCache<Count>;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#bySource = new TtlCache({ maxBytes: MAX_BYTES, clock });
    this.#byBoth = new TtlCache({ maxBytes: MAX_BYTES, clock });
  }

  /** `account` is `null` when the credentials name none. An unknown source counts as one source. */
  attempt(account: string | null, source: string | undefined): Attempt {
    const from = network((source ?? "unknown").slice(0, 64));
    const ofSource = this.#count(this.#bySource, from);
    if (ofSource.attempts >= PER_SOURCE) return this.#limited(ofSource);
    const both = hash("sha256", JSON.stringify([account, from]), "base64url");
    const ofBoth = account === null ? null : this.#count(this.#byBoth, both);
    // Nothing is tried then, so it does not count against the neighbours behind the same address.
    if (ofBoth !== null && ofBoth.attempts >= PER_ACCOUNT_AND_SOURCE) return this.#limited(ofBoth);
    ofSource.attempts++;
    if (ofBoth !== null) ofBoth.attempts++;
    const settle = (credentials: "right" | "unknown") => {
      ofSource.attempts--;
      if (credentials === "right") this.#byBoth.delete(both);
      else if (ofBoth !== null) ofBoth.attempts--;
    };
    return { status: "allowed", settle };
  }

  #count(counts: TtlCache<Count>, key: string): Count {
    const known = counts.get(key);
    if (known !== undefined) return known;
    const count = { began: instant(this.#clock), attempts: 0, exceeded: false };
    counts.set(key, count, { ttlMs: WINDOW_MS, bytes: BYTES_PER_COUNT });
    return count;
  }

  #limited(count: Count): Attempt {
    const first = !count.exceeded;
    count.exceeded = true;
    const retryAfterMs = Math.max(1000, WINDOW_MS - elapsedMs(this.#clock, count.began));
    return { status: "limited", retryAfterMs, first };
  }
}

/** An IPv6 subscriber owns a whole /64. */
function network(source: string): string {
  if (!source.includes(":") || source.includes(".")) return source;
  const [head = "", tail = ""] = source.split("%", 1)[0]?.split("::") ?? [];
  const left = head.split(":").filter(Boolean);
  const right = tail.split(":").filter(Boolean);
  const zeros = source.includes("::")
    ? Array<string>(Math.max(0, 8 - left.length - right.length)).fill("0")
    : [];
  return [...left, ...zeros, ...right].slice(0, 4).join(":");
}
