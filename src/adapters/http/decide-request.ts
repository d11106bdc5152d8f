import { readBearer, type UnusableToken } from "../../core/bearer.ts";
import { copyRules, type Rules } from "../../core/rules.ts";
import { requireMethods } from "../../core/options.ts";
import type { Decision, JwtClaims, Verdict } from "../../core/verdict.ts";
import type { Guard } from "../../guard/types.ts";
import { bearerResponse, type PassResponse, type RefusalResponse } from "./bearer.ts";

/** What a protected handler knows of the token. */
export type ValidVerdict<C = JwtClaims> = Extract<Verdict<C>, { status: "valid" }>;

/** What comes of a request: it goes on with `auth`, or `answer` is all that it gets. */
export type RequestOutcome<C> =
  | { readonly auth: ValidVerdict<C>; readonly response: PassResponse }
  | { readonly auth: null; readonly response: RefusalResponse };

/** Decides about a request by every `Authorization` header of it. Never rejects. */
export type DecideRequest<C> = (
  authorization: readonly string[],
  signal: AbortSignal | undefined,
) => Promise<RequestOutcome<C>>;

/**
 * What every `protect` does: reads the token, asks the guard, maps what it says. Guard and rules are checked now, and
 * the rules copied. Web platform only.
 */
export function createDecideRequest<C>(guard: Pick<Guard<C>, "authorize">, rules: Rules): DecideRequest<C> {
  requireMethods("protect", "guard", guard, ["authorize"]);
  const ownRules = copyRules("protect", rules);
  const outcome = (decision: Decision<C> | UnusableToken) =>
    ({
      auth: decision.status === "valid" ? decision : null,
      response: bearerResponse(decision, ownRules.scopes),
    }) as RequestOutcome<C>;
  return async (authorization, signal) => {
    const presented = readBearer(authorization);
    if (presented.status !== "token") return outcome(presented);
    try {
      return outcome(await guard.authorize(presented.token, { ...ownRules, signal }));
    } catch {
      // A guard that fails has not found out anything (and a caller who has gone reads no answer).
      return outcome({ status: "unavailable", cause: "closed", retryAfterMs: 1000 });
    }
  };
}
