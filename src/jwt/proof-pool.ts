import type { InvalidReason } from "../core/verdict.ts";
import { algorithmFacts } from "./algorithms.ts";
import type { ProofPolicy } from "./claims.ts";
import type { VerificationKey } from "./jwk-set.ts";
import type { ParsedToken } from "./parse.ts";
import { prove, proveOnPool } from "./prove.ts";
import { Rush } from "./rush.ts";

/** `null` for a token that proves itself; why not, for good; or that it was not looked at: too many are waiting. */
export type Proof = InvalidReason | null | "overloaded";

/**
 * Several times the threads (4 unless the process says otherwise), so that none is idle while its result waits for
 * the event loop; few enough that whatever else needs a thread waits a millisecond and not more.
 */
const RUNNING = 16;

/** A service that starts anew under load has this many to prove. They take 0.2 s; 64 MB with the largest of tokens. */
const WAITING = 4_000;

/**
 * Proves tokens: at once, or on the thread pool where that pays: for algorithms whose check is slow (ECDSA, EdDSA,
 * ML-DSA), when several callers wait. Bounded, so that forgeries in masses cannot take the process or its memory.
 */
export class ProofPool {
  readonly #limits: { readonly running: number; readonly waiting: number };
  readonly #rush = new Rush();
  readonly #line: (() => void)[] = [];
  #running = 0;

  constructor(limits: { running?: number; waiting?: number } = {}) {
    this.#limits = { running: RUNNING, waiting: WAITING, ...limits };
  }

  /** Proofs on the thread pool and in the line before it. */
  get size(): number {
    return this.#running + this.#line.length;
  }

  /** As `prove`. A promise where the thread pool does it, which rejects only if node:crypto itself fails. */
  prove(token: ParsedToken, key: VerificationKey, policy: ProofPolicy): Proof | Promise<Proof> {
    if (!isSlow(key) || (this.size === 0 && !this.#rush.joins())) return prove(token, key, policy);
    if (this.size >= this.#limits.running + this.#limits.waiting) return "overloaded";
    return this.#proveOnPool(token, key, policy);
  }

  async #proveOnPool(token: ParsedToken, key: VerificationKey, policy: ProofPolicy): Promise<Proof> {
    if (this.#running < this.#limits.running) this.#running++;
    else await new Promise<void>((go) => this.#line.push(go));
    try {
      return await proveOnPool(token, key, policy);
    } finally {
      const next = this.#line.shift();
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
