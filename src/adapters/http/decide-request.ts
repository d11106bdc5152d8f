import { extractRequestToken, type ExtractedToken, type RequestView } from "../../core/request-token.ts";
import { copyRules, ruleNames, scopesToRequest } from "../../core/rules.ts";
import { invalidOption, rejectUnknownOptions, requireMethods } from "../../core/options.ts";
import { getFromMemory } from "../../core/from-memory.ts";
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

export type MaybePromise<T> = T | Promise<T>;

/** The response to a request that passes without anything to declare. */
const PASS: PassResponse = Object.freeze({ status: 200, headers: Object.freeze({}), body: null });
const SCHEME = "Bearer ";

/** The decisions of a route. */
export interface RequestDecider<C> {
  /** Whether `recall` may be asked. Otherwise a token may be in another place than `Authorization`. */
  readonly canRecall: boolean;
  /**
   * Decides at once when the guard remembers the token in the only value of `Authorization`, and it passes. `null` when
   * the request has to be decided with `decide`.
   */
  readonly recall: (authorization: string) => RequestOutcome<C> | null;
  /** Decides on a request. Never rejects. */
  readonly decide: (request: RequestView, signal: AbortSignal | undefined) => Promise<RequestOutcome<C>>;
}

/**
 * Creates the decisions that each HTTP adapter makes: read the token, call the guard, and map the result to HTTP. The guard
 * and the rules are checked at once, and the rules are copied. `owner` is what errors name. This file runs on any web
 * platform.
 */
export function createRequestDecider<C>(
  guard: Pick<Guard<C>, "authorize">,
  options: RequestRules | OptionalRules,
  owner = "protect",
): RequestDecider<C> {
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
  const { header, scheme, cookie } = places;
  const recall = (authorization: string): RequestOutcome<C> | null => {
    // Read for each request, because an application may replace the method of the guard.
    const fromMemory = getFromMemory<C>(guard.authorize);
    if (fromMemory === undefined || !authorization.startsWith(SCHEME)) return null;
    try {
      const auth = fromMemory(authorization.slice(SCHEME.length), ownRules);
      return auth === null || auth.degraded !== null ? null : { auth, response: PASS };
    } catch {
      // A tracing or a clock of the application failed. An error that is thrown here would end the process.
      return null;
    }
  };
  const decide: RequestDecider<C>["decide"] = async (request, signal) => {
    const presented = extractRequestToken(request, places);
    if (presented.status === "none" && optional) return { auth: null, response: PASS };
    if (presented.status !== "token") return outcome(presented);
    try {
      return outcome(await guard.authorize(presented.token, { ...ownRules, signal }));
    } catch {
      // A guard that throws has decided nothing. A client that has gone away reads no response.
      return outcome(unavailableVerdict("closed"));
    }
  };
  const canRecall = header === "authorization" && scheme === "Bearer" && cookie === null;
  return { canRecall, recall, decide };
}

/** The same for the requests of web platforms. A remembered token needs no view and no signal of the request. */
export function createDecideWebRequest<C>(
  guard: Pick<Guard<C>, "authorize">,
  options: RequestRules | OptionalRules,
  owner?: string,
): (request: Request) => MaybePromise<RequestOutcome<C>> {
  const { canRecall, recall, decide } = createRequestDecider(guard, options, owner);
  return (request): MaybePromise<RequestOutcome<C>> => {
    const authorization = canRecall ? request.headers.get("authorization") : null;
    const recalled = authorization === null ? null : recall(authorization);
    return recalled ?? decide(viewOfWebRequest(request), request.signal);
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
