import { hash } from "node:crypto";
import type { Sought } from "./key-source.ts";

/** When full, the oldest is forgotten, and counts as new when it comes again. */
const MAX_SEEN = 1_000;

/**
 * When each unknown `kid`, or token without one, was first seen, counted in attempts to fetch the set. Bounded,
 * whatever is sent.
 */
export class UnknownKids {
  readonly #firstSeen = new Map<string, number>();

  /** How many attempts had begun when it was first seen; now, if it is new. */
  firstSeen({ kid, signingInput }: Sought, attempts: number): number {
    // Digests, because both may be as long as a token; told apart, because a `kid` can be chosen to equal a token.
    const name = hash("sha256", kid === undefined ? `token ${signingInput}` : `kid ${kid}`, "binary");
    const seen = this.#firstSeen.get(name);
    if (seen !== undefined) return seen;
    if (this.#firstSeen.size >= MAX_SEEN) {
      const [oldest] = this.#firstSeen.keys();
      if (oldest !== undefined) this.#firstSeen.delete(oldest);
    }
    this.#firstSeen.set(name, attempts);
    return attempts;
  }
}
