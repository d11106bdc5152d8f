import { hash } from "node:crypto";
import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";

/** Wrong attempts in a quarter of an hour: for one account from one source, and from one source in all. */
const WINDOW_S = 15 * 60;
const PER_ACCOUNT_AND_SOURCE = 10;
const PER_SOURCE = 100;

type Attempt =
  | {
      readonly status: "allowed";
      /** The credentials were right: the account starts anew from this source. */
      succeeded(): Promise<void>;
      /** Nobody found out: it does not count. */
      forgiven(): Promise<void>;
    }
  | { readonly status: "limited"; readonly retryAfterMs: number; readonly first: boolean };

/**
 * Counts attempts before they are made, so that parallel ones count too. Never by account alone: nobody can lock
 * another one out. The source is asked first, so that one source makes only a bounded number of entries.
 */
export class LoginLimits {
  readonly #bySource = new RateLimiterMemory({ points: PER_SOURCE, duration: WINDOW_S });
  readonly #byBoth = new RateLimiterMemory({ points: PER_ACCOUNT_AND_SOURCE, duration: WINDOW_S });

  /** `account` is `null` when the credentials name none. An unknown source counts as one source. */
  async attempt(account: string | null, source: string | undefined): Promise<Attempt> {
    const from = network(source ?? "unknown");
    const both = hash("sha256", JSON.stringify([account, from]), "base64url");
    const forgiven = async () => {
      await this.#bySource.reward(from);
      if (account !== null) await this.#byBoth.reward(both);
    };
    const tooMany = await excess(this.#bySource, from);
    if (tooMany !== null) return tooMany;
    const tooManyHere = account === null ? null : await excess(this.#byBoth, both);
    if (tooManyHere !== null) {
      // Nothing was tried: it does not count against the neighbours behind the same address.
      await this.#bySource.reward(from);
      return tooManyHere;
    }
    const succeeded = async () => {
      await this.#bySource.reward(from);
      await this.#byBoth.delete(both);
    };
    return { status: "allowed", succeeded, forgiven };
  }
}

async function excess(limiter: RateLimiterMemory, key: string): Promise<Attempt | null> {
  try {
    await limiter.consume(key);
    return null;
  } catch (refusal) {
    if (!(refusal instanceof RateLimiterRes)) throw refusal;
    const first = refusal.consumedPoints === limiter.points + 1;
    return { status: "limited", retryAfterMs: Math.max(1000, refusal.msBeforeNext), first };
  }
}

/** An IPv6 subscriber owns a whole /64. */
function network(source: string): string {
  if (!source.includes(":") || source.includes(".")) return source.slice(0, 64);
  const [head = "", tail = ""] = source.split("%", 1)[0]?.split("::") ?? [];
  const left = head.split(":").filter(Boolean);
  const right = tail.split(":").filter(Boolean);
  const zeros = source.includes("::")
    ? Array<string>(Math.max(0, 8 - left.length - right.length)).fill("0")
    : [];
  return [...left, ...zeros, ...right].slice(0, 4).join(":");
}
