import { readBearer, type UnusableToken } from "../../core/bearer.ts";
import { copyRules, type Rules } from "../../core/rules.ts";
import { requireMethods } from "../../core/options.ts";
import { unavailableVerdict, type Decision, type ValidVerdict } from "../../core/verdict.ts";
import type { Guard } from "../../guard/types.ts";
import { bearerResponse, type PassResponse, type RefusalResponse } from "./bearer-response.ts";

/** The request passes with the verdict in `auth`, or it is refused with `response`. */
export type RequestOutcome<C> =
  | { readonly auth: ValidVerdict<C>; readonly response: PassResponse }
  | { readonly auth: null; readonly response: RefusalResponse };

/** Decides on a request. `authorization` has one item for each `Authorization` header line. Never rejects. */
export type DecideRequest<C> = (
  authorization: readonly string[],
  signal: AbortSignal | undefined,
) => Promise<RequestOutcome<C>>;

/**
 * Creates the decision that each HTTP adapter makes: read the token, call the guard, and map the result to HTTP. The guard
 * and the rules are checked at once, and the rules are copied. This file runs on any web platform.
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
      // A guard that throws has decided nothing. A client that has gone away reads no response.
      return outcome(unavailableVerdict("closed"));
    }
  };
}
