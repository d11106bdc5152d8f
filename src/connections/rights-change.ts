import { isDeepStrictEqual } from "node:util";
import { invalidOption } from "../core/options.ts";
import type { JwtClaims, ValidVerdict } from "../core/verdict.ts";

/** A change of the scopes or claims of a connection. Both verdicts have the same subject. */
export interface RightsChange<C = JwtClaims> {
  /** The verdict under which messages were delivered before. */
  readonly before: ValidVerdict<C>;
  /** The verdict under which the next message is delivered. */
  readonly now: ValidVerdict<C>;
}

export type RightsListener<C = JwtClaims> = (change: RightsChange<C>) => unknown;

/** Claims that differ in every token, and the scopes, which are compared as a set. */
const ignoredClaims: ReadonlySet<string> = new Set(["exp", "iat", "nbf", "jti", "scope", "scp"]);

/** Whether the scopes or the claims differ. The id and the times of the token do not count. */
function hasOtherRights<C>(before: ValidVerdict<C>, now: ValidVerdict<C>): boolean {
  const isSameSet =
    before.scopes === now.scopes || isDeepStrictEqual(new Set(before.scopes), new Set(now.scopes));
  if (!isSameSet) return true;
  return before.claims !== now.claims && !isDeepStrictEqual(lasting(before.claims), lasting(now.claims));
}

function lasting(claims: object): object {
  return Object.fromEntries(Object.entries(claims).filter(([name]) => !ignoredClaims.has(name)));
}

/** The listeners of one connection. */
export class RightsListeners<C> {
  readonly #listeners = new Set<{ readonly call: RightsListener<C> }>();
  readonly #onFailure: (verdict: ValidVerdict<C>) => void;

  /** `onFailure` is called for each listener that throws or rejects. */
  constructor(onFailure: (verdict: ValidVerdict<C>) => void) {
    this.#onFailure = onFailure;
  }

  /** The returned function removes the listener. The same function may be added twice. */
  add(call: RightsListener<C>): () => void {
    if (typeof call !== "function") throw invalidOption("onChange: listener", "a function", call);
    const entry = { call };
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  }

  /** Calls each listener once when the rights differ. Never throws. `before` is `null` before the first token. */
  compare(before: ValidVerdict<C> | null, now: ValidVerdict<C>): void {
    if (this.#listeners.size === 0 || before === null || !hasOtherRights(before, now)) return;
    const onFailure = () => this.#onFailure(now);
    // A copy, because a listener may add one, which learns only of later changes.
    const entries = [...this.#listeners];
    for (const entry of entries) {
      // An earlier listener may have removed this one.
      if (!this.#listeners.has(entry)) continue;
      try {
        const result = entry.call({ before, now });
        if (result instanceof Promise) result.catch(onFailure);
      } catch {
        onFailure();
      }
    }
  }
}
