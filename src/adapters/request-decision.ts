import { invalidOption, onlyKnown, requireMethods } from "../core/options.ts";
import type { Decision, JwtClaims, Verdict } from "../core/verdict.ts";
import type { Guard, Rules } from "../guard/types.ts";
import {
  bearerAnswer,
  readBearer,
  type PassingAnswer,
  type Presented,
  type RefusingAnswer,
} from "./bearer.ts";

/** What a protected handler knows of the token. */
export type ValidVerdict<C = JwtClaims> = Extract<Verdict<C>, { status: "valid" }>;

/** What comes of a request: it goes on with `auth`, or `answer` is all that it gets. */
export type Outcome<C> =
  | { readonly auth: ValidVerdict<C>; readonly answer: PassingAnswer }
  | { readonly auth: null; readonly answer: RefusingAnswer };

/** Decides about a request by every `Authorization` header of it. Never rejects. */
export type Decide<C> = (
  authorization: readonly string[],
  signal: AbortSignal | undefined,
) => Promise<Outcome<C>>;

/**
 * What every `protect` does: reads the token, asks the guard, maps what it says. Guard and rules are checked now, and
 * the rules copied. Web platform only.
 */
export function requestDecision<C>(guard: Pick<Guard<C>, "authorize">, rules: Rules): Decide<C> {
  requireMethods("protect", "guard", guard, ["authorize"]);
  const own = checkedRules(rules);
  const outcome = (decision: Decision<C> | Exclude<Presented, { status: "token" }>) =>
    ({
      auth: decision.status === "valid" ? decision : null,
      answer: bearerAnswer(decision, own.scopes),
    }) as Outcome<C>;
  return async (authorization, signal) => {
    const presented = readBearer(authorization);
    if (presented.status !== "token") return outcome(presented);
    try {
      return outcome(await guard.authorize(presented.token, { ...own, signal }));
    } catch {
      // A guard that fails has not found out anything (and a caller who has gone reads no answer).
      return outcome({ status: "unavailable", cause: "closed", retryAfterMs: 1000 });
    }
  };
}

/** Here, because `authorize` would refuse wrong rules at each request, and they would look like an outage. */
export function checkedRules(rules: Rules): Rules {
  onlyKnown("protect: rules", rules, ["scopes", "maxRevocationAgeMs", "degraded"]);
  const { scopes, maxRevocationAgeMs, degraded } = rules;
  if (scopes !== undefined && !(Array.isArray(scopes) && scopes.every((one) => typeof one === "string"))) {
    throw invalidOption("protect: scopes", "an array of strings", scopes);
  }
  if (
    maxRevocationAgeMs !== undefined &&
    !(typeof maxRevocationAgeMs === "number" && maxRevocationAgeMs >= 0)
  ) {
    throw invalidOption("protect: maxRevocationAgeMs", "a number of at least 0", maxRevocationAgeMs);
  }
  if (degraded !== undefined && !["deny", "cached", "local"].includes(degraded)) {
    throw invalidOption("protect: degraded", "deny, cached or local", degraded);
  }
  return scopes === undefined ? { ...rules } : { ...rules, scopes: [...scopes] };
}
