import type { Clock } from "../../core/clock.ts";
import { isHoldfastError } from "../../core/errors.ts";
import { isRecord } from "../../core/json.ts";
import { hasRegisteredTypes } from "../../jwt/parse.ts";
import { freezeAndCount } from "../../jwt/strict-json.ts";
import { describeError } from "../emit.ts";
import { fetchJson, unusableResponse, type JsonResponse } from "../fetch-json.ts";
import type { AuthorityAnswer, AuthoritySource } from "./authority.ts";
import type { AuthoritySettings } from "./settings.ts";

/** The request and response format of one kind of authority. */
export interface AuthorityProtocol {
  readonly kind: AuthoritySource["kind"];
  readonly contentType: string;
  /** `parameters` hold the token and, with `auth: "post"`, the client's credentials. */
  encodeBody(parameters: Readonly<Record<string, string>>): string;
  /** Reads the body of a 200 response. `null` when the body is not an answer. */
  readAnswer(json: Readonly<Record<string, unknown>>): AuthorityAnswer | null;
}

/** A request that brought no answer. */
export interface AuthorityFailure {
  readonly status: "failed";
  readonly cause: "authority_unavailable" | "authority_misconfigured";
  /** For people. Holds no part of the response, no token and no secret. */
  readonly reason: string;
  /** Whether an immediate retry may help. */
  readonly mayRetry: boolean;
  /** How long the authority asked for no requests (`Retry-After`); 0 without that header. */
  readonly pauseMs: number;
}

export type AuthorityReply = AuthorityAnswer | AuthorityFailure;

/** The name of the response in errors. */
export const ANSWER_LABEL = "the authority's answer";

/** The longest `Retry-After` that is followed. */
const MAX_PAUSE_MS = 60_000;
/** The 4xx statuses that are about the moment: Request Timeout, Too Early, Too Many Requests. */
const transientStatuses = [408, 425, 429];
/** The statuses of a gateway that could not pass the request on. */
const gatewayStatuses = [502, 503, 504];

export function makeFailure(reason: string, details: Partial<AuthorityFailure> = {}): AuthorityFailure {
  const cause = "authority_unavailable";
  return { status: "failed", cause, reason, mayRetry: false, pauseMs: 0, ...details };
}

/** Sends one request and reads the response. Never rejects. */
export async function sendAuthorityRequest(
  protocol: AuthorityProtocol,
  settings: AuthoritySettings,
  clock: Clock,
  token: string,
  signal: AbortSignal,
): Promise<AuthorityReply> {
  let isSent = false;
  try {
    const credentials = await settings.authentication();
    isSent = true;
    const response = await fetchJson(settings.url, {
      ...settings,
      what: ANSWER_LABEL,
      headers: { ...settings.headers, "content-type": protocol.contentType, ...credentials.headers },
      body: protocol.encodeBody({ token, ...credentials.body }),
      signal,
    });
    return response.status === 200 ? readBody(protocol, response.json) : readFailure(response, clock);
  } catch (error) {
    // An error of another library is about the connection, which failed or broke.
    if (isSent) return makeFailure(describeError(error), { mayRetry: !isHoldfastError(error) });
    return makeFailure(`bearerToken: ${describeError(error)}`);
  }
}

function readBody(protocol: AuthorityProtocol, json: unknown): AuthorityReply {
  const answer = isRecord(json) ? protocol.readAnswer(json) : null;
  return answer ?? makeFailure(`${ANSWER_LABEL} does not have the form of ${protocol.kind}`);
}

/** The answer for an active token with these claims. `null` when a claim has the wrong type. Throws for `__proto__`. */
export function acceptClaims(claims: unknown): AuthorityAnswer | null {
  if (!isRecord(claims) || !hasRegisteredTypes(claims)) return null;
  if (Number.isNaN(freezeAndCount(claims))) throw unusableResponse(ANSWER_LABEL, "has a member __proto__");
  return { status: "yes", claims };
}

function readFailure({ status, headers }: JsonResponse, clock: Clock): AuthorityFailure {
  const reason = `the authority answered ${status}`;
  if (status >= 400 && status < 500 && !transientStatuses.includes(status)) {
    return makeFailure(reason, { cause: "authority_misconfigured" });
  }
  const pauseMs = retryAfterMs(headers.get("retry-after"), clock);
  return makeFailure(reason, {
    pauseMs: pauseMs ?? 0,
    mayRetry: pauseMs === null && gatewayStatuses.includes(status),
  });
}

/** Reads seconds or a date (RFC 9110 §10.2.3). `null` without a usable header. */
function retryAfterMs(header: string | null, clock: Clock): number | null {
  if (header === null) return null;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - clock.now();
  return Number.isNaN(ms) ? null : Math.min(MAX_PAUSE_MS, Math.max(0, ms));
}
