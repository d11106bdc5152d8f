import { hash } from "node:crypto";
import type { KeyQuery } from "./key-source.ts";

/** When the map is full, the oldest entry is dropped and counts as new when it is seen again. */
const MAX_ENTRIES = 1_000;

/** When a `kid` or token was first seen. */
export interface FirstSeen {
  /** The number of fetches that had begun by then. */
  readonly attempts: number;
  /** Milliseconds of the monotonic clock. */
  readonly at: number;
}

/** Remembers when each unknown `kid`, or token without a `kid`, was first seen. Bounded, whatever clients send. */
export class UnknownKids {
  readonly #firstSeen = new Map<string, FirstSeen>();

  /** Returns when the token's `kid` was first seen, which is `now` for a new one. */
  firstSeen({ kid, signingInput }: KeyQuery, now: FirstSeen): FirstSeen {
    const digest = kid === undefined ? digestOf("token", signingInput) : digestOf("kid", kid);
    const seen = this.#firstSeen.get(digest);
    if (seen !== undefined) return seen;
    if (this.#firstSeen.size >= MAX_ENTRIES) {
      const [oldest] = this.#firstSeen.keys();
      if (oldest !== undefined) this.#firstSeen.delete(oldest);
    }
    this.#firstSeen.set(digest, now);
    return now;
  }

  /** When this `kid` was first seen. `undefined` when it was not seen, or is known now. */
  find(kid: string): FirstSeen | undefined {
    return this.#firstSeen.get(digestOf("kid", kid));
  }

  /** These `kid`s are known now. They count as new if they become unknown again. */
  forget(kids: readonly string[]): void {
    for (const kid of kids) this.#firstSeen.delete(digestOf("kid", kid));
  }
}

/**
 * A digest bounds the memory of an entry, because a `kid` may be as long as a token. The prefix separates the two kinds,
 * because a client can choose a `kid` that equals a token.
 */
function digestOf(kind: "kid" | "token", text: string): string {
  return hash("sha256", `${kind} ${text}`, "binary");
}
