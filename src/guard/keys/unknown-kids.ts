import { hash } from "node:crypto";
import type { Sought } from "./key-source.ts";

/** When full, the oldest is forgotten, and counts as new when it comes again. */
const MAX_SEEN = 1_000;

/** A moment: how many attempts to fetch the set had begun, and the monotonic clock. */
export interface Moment {
  readonly attempts: number;
  readonly at: number;
}

/** When each unknown `kid`, or token without one, was first seen. Bounded, whatever is sent. */
export class UnknownKids {
  readonly #firstSeen = new Map<string, Moment>();

  /** When it was first seen; now, if it is new. */
  firstSeen({ kid, signingInput }: Sought, now: Moment): Moment {
    const name = kid === undefined ? nameOf("token", signingInput) : nameOf("kid", kid);
    const seen = this.#firstSeen.get(name);
    if (seen !== undefined) return seen;
    if (this.#firstSeen.size >= MAX_SEEN) {
      const [oldest] = this.#firstSeen.keys();
      if (oldest !== undefined) this.#firstSeen.delete(oldest);
    }
    this.#firstSeen.set(name, now);
    return now;
  }

  /** They are known now, and count as new if they become unknown again. */
  forget(kids: readonly string[]): void {
    for (const kid of kids) this.#firstSeen.delete(nameOf("kid", kid));
  }
}

/** A digest, because both may be as long as a token; told apart, because a `kid` can be chosen to equal a token. */
function nameOf(kind: "kid" | "token", text: string): string {
  return hash("sha256", `${kind} ${text}`, "binary");
}
