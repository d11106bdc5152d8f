import { systemClock, type Clock } from "../core/clock.ts";
import type { InvalidReason } from "../core/verdict.ts";
import { Bulkhead, type BulkheadLimits } from "../resilience/bulkhead.ts";
import { algorithmFacts } from "./algorithms.ts";
import { BurstDetector } from "./burst-detector.ts";
import type { ClaimsPolicy } from "./claims.ts";
import type { VerificationKey } from "./jwk-set.ts";
import type { ParsedToken } from "./parse.ts";
import { verifyWithKey, verifyWithKeyOnThreadPool } from "./verify.ts";

/** The result of {@link verifyWithKey}, or `overloaded` when the pool was full and the token was not verified. */
export type VerificationOutcome = InvalidReason | null | "overloaded";

const LIMITS: BulkheadLimits = {
  /**
   * Several times the number of threads (4 by default), so that no thread idles while its result waits for the event
   * loop. Few enough that other work for the thread pool waits no longer than a millisecond.
   */
  running: 16,
  /** Enough for a service that restarts under load. 4,000 tokens take 0.2 s, and 64 MB when each has the largest size. */
  waiting: 4_000,
};

/**
 * Verifies tokens on the thread pool where that is faster, else at once. The thread pool pays for slow algorithms
 * (ECDSA, EdDSA, ML-DSA) when several callers wait. The bound keeps mass forgeries from exhausting CPU and memory.
 */
export class VerificationPool {
  readonly #bursts = new BurstDetector();
  readonly #bulkhead: Bulkhead;

  readonly #usesThreads: boolean;

  /** A clock with turns of its own decides the order of all work, and a thread would not keep it. */
  constructor(limits: Partial<BulkheadLimits> = {}, clock: Clock = systemClock) {
    this.#usesThreads = clock.turn === undefined;
    this.#bulkhead = new Bulkhead("a verification", { ...LIMITS, ...limits });
  }

  /** Verifications that run on the thread pool or wait for it. */
  get size(): number {
    return this.#bulkhead.size;
  }

  /** Returns a promise when the thread pool verifies the token. The promise rejects only if node:crypto itself fails. */
  verify(
    token: ParsedToken,
    key: VerificationKey,
    policy: ClaimsPolicy,
  ): VerificationOutcome | Promise<VerificationOutcome> {
    if (!this.#usesThreads || !isSlow(key) || (this.size === 0 && !this.#bursts.recordCall()))
      return verifyWithKey(token, key, policy);
    if (this.#bulkhead.isFull) return "overloaded";
    return this.#bulkhead.run(async () => await verifyWithKeyOnThreadPool(token, key, policy));
  }
}

/** An RSA verification costs less than a round trip through the thread pool, and an HMAC a tenth of that. */
function isSlow({ algorithm }: VerificationKey): boolean {
  const { family } = algorithmFacts(algorithm);
  return family === "ES" || family === "EdDSA" || family === "ML-DSA";
}
