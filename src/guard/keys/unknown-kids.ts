import { hash } from "node:crypto";
import type { KeyQuery } from "./key-source.ts";

/** When full, the oldest is forgotten, and counts as new when it comes again. */
const MAX_ENTRIES = 1_000;

/** A moment: how many attempts to fetch the set had begun, and the monotonic clock. */
export interface FirstSeen {
  readonly attempts: number;
  readonly at: number;
}

/** When each unknown `kid`, or token without one, was first seen. Bounded, whatever is sent. */
export class UnknownKids {
  readonly #firstSeen = new Map<string, FirstSeen>();

  /** When it was first seen; now, if it is new. */
  firstSeen({ kid, signingInput }: KeyQuery, now: FirstSeen): FirstSeen {
    const name = kid === undefined ? digestOf("token", signingInput) : digestOf("kid", kid);
    const seen = this.#firstSeen.get(name);
    if (seen !== undefined) return seen;
    if (this.#firstSeen.size >= MAX_ENTRIES) {
      const [oldest] = this.#firstSeen.keys();
      if (oldest !== undefined) this.#firstSeen.delete(oldest);
    }
    this.#firstSeen.set(name, now);
    return now;
  }

  /** They are known now, and count as new if they become unknown again. */
  forget(kids: readonly string[]): void {
    for (const kid of kids) this.#firstSeen.delete(digestOf("kid", kid));
  }
}

/** A digest, because both may be as long as a token; told apart, because a `kid` can be chosen to equal a token. */
function digestOf(kind: "kid" | "token", text: string): string {
  return hash("sha256", `${kind} ${text}`, "binary");
}
