import { extractRequestToken, type ExtractedToken, type RequestView } from "../../core/request-token.ts";
import { copyRules, ruleNames, scopesToRequest } from "../../core/rules.ts";
import { invalidOption, rejectUnknownOptions, requireMethods } from "../../core/options.ts";
import { unavailableVerdict, type Decision, type ValidVerdict } from "../../core/verdict.ts";
import type { Guard } from "../../guard/types.ts";
import { readChallenge, readRequestTokenFrom, type OptionalRules, type RequestRules } from "./token-from.ts";
import { bearerResponse, type PassResponse, type RefusalResponse } from "./bearer-response.ts";

/**
 * The request passes with the verdict in `auth`, or it is refused with `response`. A request without a token passes without
 * a verdict where the rules are optional.
 */
export type RequestOutcome<C> =
  | { readonly auth: ValidVerdict<C>; readonly response: PassResponse }
  | { readonly auth: null; readonly response: PassResponse }
  | { readonly auth: null; readonly response: RefusalResponse };

const ANONYMOUS: PassResponse = { status: 200, headers: {}, body: null };

/** Decides on a request. Never rejects. */
export type DecideRequest<C> = (
  request: RequestView,
  signal: AbortSignal | undefined,
) => Promise<RequestOutcome<C>>;

/**
 * Creates the decision that each HTTP adapter makes: read the token, call the guard, and map the result to HTTP. The guard
 * and the rules are checked at once, and the rules are copied. `owner` is what errors name. This file runs on any web
 * platform.
 */
export function createDecideRequest<C>(
  guard: Pick<Guard<C>, "authorize">,
  options: RequestRules | OptionalRules,
  owner = "protect",
): DecideRequest<C> {
  requireMethods(owner, "guard", guard, ["authorize"]);
  rejectUnknownOptions(`${owner}: rules`, options, [...ruleNames, "tokenFrom", "challenge", "optional"]);
  const {
    tokenFrom,
    challenge,
    optional = false,
    ...rules
  } = options as RequestRules & { optional?: unknown };
  if (typeof optional !== "boolean") throw invalidOption(`${owner}: optional`, "true or false", optional);
  const ownRules = copyRules(owner, rules);
  const requestedScopes = scopesToRequest(ownRules);
  const places = readRequestTokenFrom(tokenFrom, owner);
  const parameters = readChallenge(challenge, owner);
  const outcome = (decision: Decision<C> | Exclude<ExtractedToken, { status: "token" }>) =>
    ({
      auth: decision.status === "valid" ? decision : null,
      response: bearerResponse(decision, requestedScopes, parameters),
    }) as RequestOutcome<C>;
  return async (request, signal) => {
    const presented = extractRequestToken(request, places);
    if (presented.status === "none" && optional) return { auth: null, response: ANONYMOUS };
    if (presented.status !== "token") return outcome(presented);
    try {
      return outcome(await guard.authorize(presented.token, { ...ownRules, signal }));
    } catch {
      // A guard that throws has decided nothing. A client that has gone away reads no response.
      return outcome(unavailableVerdict("closed"));
    }
  };
}

/** Returns the view of a web request. Its `Headers` join the lines of one field, so that each field has one value at most. */
export function viewOfWebRequest({ method, headers }: Pick<Request, "method" | "headers">): RequestView {
  return {
    method,
    lines: (name) => {
      const value = headers.get(name);
      return value === null ? [] : [value];
    },
  };
}
