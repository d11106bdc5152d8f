import { hash } from "node:crypto";

/** When full, the oldest is forgotten, and counts as new when it comes again. */
const MAX_KIDS = 1_000;

/** When each unknown `kid` was first seen, counted in attempts to fetch the set. Bounded, whatever is sent. */
export class UnknownKids {
  readonly #firstSeen = new Map<string, number>();

  /** How many attempts had begun when the `kid` was first seen; now, if it is new. */
  firstSeen(kid: string | undefined, attempts: number): number {
    // A digest, because a `kid` may be as long as a token.
    const name = kid === undefined ? "" : hash("sha256", kid, "binary");
    const seen = this.#firstSeen.get(name);
    if (seen !== undefined) return seen;
    if (this.#firstSeen.size >= MAX_KIDS) {
      const [oldest] = this.#firstSeen.keys();
      if (oldest !== undefined) this.#firstSeen.delete(oldest);
    }
    this.#firstSeen.set(name, attempts);
    return attempts;
  }
}
