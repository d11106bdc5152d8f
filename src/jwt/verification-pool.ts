import type { InvalidReason } from "../core/verdict.ts";
import { algorithmFacts } from "./algorithms.ts";
import type { ClaimsPolicy } from "./claims.ts";
import type { VerificationKey } from "./jwk-set.ts";
import type { ParsedToken } from "./parse.ts";
import { verifyWithKey, verifyWithKeyOnThreadPool } from "./verify.ts";
import { BurstDetector } from "./burst-detector.ts";

/** `null` for a token that proves itself; why not, for good; or that it was not looked at: too many are waiting. */
export type VerificationOutcome = InvalidReason | null | "overloaded";

/**
 * Several times the threads (4 unless the process says otherwise), so that none is idle while its result waits for
 * the event loop; few enough that whatever else needs a thread waits a millisecond and not more.
 */
const MAX_RUNNING = 16;

/** A service that starts anew under load has this many to prove. They take 0.2 s; 64 MB with the largest of tokens. */
const MAX_WAITING = 4_000;

/**
 * Proves tokens: at once, or on the thread pool where that pays: for algorithms whose check is slow (ECDSA, EdDSA,
 * ML-DSA), when several callers wait. Bounded, so that forgeries in masses cannot take the process or its memory.
 */
export class VerificationPool {
  readonly #limits: { readonly running: number; readonly waiting: number };
  readonly #bursts = new BurstDetector();
  readonly #queue: (() => void)[] = [];
  #running = 0;

  constructor(limits: { running?: number; waiting?: number } = {}) {
    this.#limits = { running: MAX_RUNNING, waiting: MAX_WAITING, ...limits };
  }

  /** Proofs on the thread pool and in the line before it. */
  get size(): number {
    return this.#running + this.#queue.length;
  }

  /** As `prove`. A promise where the thread pool does it, which rejects only if node:crypto itself fails. */
  verify(
    token: ParsedToken,
    key: VerificationKey,
    policy: ClaimsPolicy,
  ): VerificationOutcome | Promise<VerificationOutcome> {
    if (!isSlow(key) || (this.size === 0 && !this.#bursts.recordCall()))
      return verifyWithKey(token, key, policy);
    if (this.size >= this.#limits.running + this.#limits.waiting) return "overloaded";
    return this.#verifyOnThreadPool(token, key, policy);
  }

  async #verifyOnThreadPool(
    token: ParsedToken,
    key: VerificationKey,
    policy: ClaimsPolicy,
  ): Promise<VerificationOutcome> {
    if (this.#running < this.#limits.running) this.#running++;
    else await new Promise<void>((go) => this.#queue.push(go));
    try {
      return await verifyWithKeyOnThreadPool(token, key, policy);
    } finally {
      const next = this.#queue.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}

/** RSA checks cost less than the turn of the pool and HMAC a tenth of that: they never gain. */
function isSlow({ algorithm }: VerificationKey): boolean {
  const { family } = algorithmFacts(algorithm);
  return family === "ES" || family === "EdDSA" || family === "ML-DSA";
}
