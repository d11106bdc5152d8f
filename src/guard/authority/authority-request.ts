import type { Clock } from "../../core/clock.ts";
import { isHoldfastError } from "../../core/errors.ts";
import { freezeAndCount } from "../../jwt/strict-json.ts";
import { hasRegisteredTypes } from "../../jwt/parse.ts";
import { fetchJson, unusableResponse, type JsonResponse } from "../fetch-json.ts";
import { describeError } from "../emit.ts";
import type { AuthorityAnswer, AuthoritySource } from "./authority.ts";
import type { AuthoritySettings } from "./settings.ts";

/** How one kind of authority is spoken to. */
export interface AuthorityProtocol {
  readonly kind: AuthoritySource["kind"];
  readonly contentType: string;
  /** `parameters` are the token and, with `auth: "post"`, who asks. */
  body(parameters: Readonly<Record<string, string>>): string;
  /** What a 200 says; `null` when that is no answer. */
  read(json: Readonly<Record<string, unknown>>): AuthorityAnswer | null;
}

/** A question without an answer. */
export interface AuthorityFailure {
  readonly status: "failed";
  readonly cause: "authority_unavailable" | "authority_misconfigured";
  /** For people; holds nothing of the answer, no token and no secret. */
  readonly reason: string;
  /** Asking again at once may help. */
  readonly mayRetry: boolean;
  /** How long the authority wants to be left alone. */
  readonly pauseMs: number;
}

export type AuthorityReply = AuthorityAnswer | AuthorityFailure;

/** Names the answer in errors. */
export const ANSWER_LABEL = "the authority's answer";

/** The longest `Retry-After` that is followed. */
const MAX_PAUSE_MS = 60_000;
/** Statuses of the 4xx that are about the moment and not about our request. */
const transientStatuses = [408, 425, 429];
/** Statuses of whatever stands before the authority, when that did not get the question. */
const gatewayStatuses = [502, 503, 504];

export function makeFailure(why: string, more: Partial<AuthorityFailure> = {}): AuthorityFailure {
  const cause = "authority_unavailable";
  return { status: "failed", cause, reason: why, mayRetry: false, pauseMs: 0, ...more };
}

/** One request and its answer. Never rejects. */
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
    const answer = await fetchJson(settings.url, {
      ...settings,
      what: ANSWER_LABEL,
      headers: { ...settings.headers, "content-type": protocol.contentType, ...credentials.headers },
      body: protocol.body({ token, ...credentials.body }),
      signal,
    });
    return answer.status === 200 ? readAnswer(protocol, answer.json) : readFailure(answer, clock);
  } catch (error) {
    // What is not ours is from the connection: none was made, or it broke.
    if (isSent) return makeFailure(describeError(error), { mayRetry: !isHoldfastError(error) });
    return makeFailure(`bearerToken: ${describeError(error)}`);
  }
}

function readAnswer(protocol: AuthorityProtocol, json: unknown): AuthorityReply {
  const answer = isRecord(json) ? protocol.read(json) : null;
  return answer ?? makeFailure(`${ANSWER_LABEL} has another form than that of ${protocol.kind}`);
}

/** A good token with these claims; `null` when one has the wrong type. Throws for `__proto__`. */
export function acceptClaims(claims: unknown): AuthorityAnswer | null {
  if (!isRecord(claims) || !hasRegisteredTypes(claims)) return null;
  if (Number.isNaN(freezeAndCount(claims))) throw unusableResponse(ANSWER_LABEL, "has a member __proto__");
  return { status: "yes", claims };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function readFailure({ status, headers }: JsonResponse, clock: Clock): AuthorityFailure {
  const why = `the authority answered ${status}`;
  if (status >= 400 && status < 500 && !transientStatuses.includes(status)) {
    return makeFailure(why, { cause: "authority_misconfigured" });
  }
  const pauseMs = retryAfterMs(headers.get("retry-after"), clock);
  return makeFailure(why, {
    pauseMs: pauseMs ?? 0,
    mayRetry: pauseMs === null && gatewayStatuses.includes(status),
  });
}

/** Seconds or a date (RFC 9110 §10.2.3); `null` when there is none. */
function retryAfterMs(header: string | null, clock: Clock): number | null {
  if (header === null) return null;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - clock.now();
  return Number.isNaN(ms) ? null : Math.min(MAX_PAUSE_MS, Math.max(0, ms));
}
