import type { Clock } from "../../core/clock.ts";
import { isHoldfastError } from "../../core/errors.ts";
import { freeze } from "../../jwt/json.ts";
import { hasRegisteredTypes } from "../../jwt/parse.ts";
import { fetchJson, unusable, type JsonAnswer } from "../fetch-json.ts";
import { describe } from "../report.ts";
import type { AuthorityAnswer, AuthoritySource } from "./authority.ts";
import type { AuthoritySettings } from "./settings.ts";

/** How one kind of authority is spoken to. */
export interface Dialect {
  readonly kind: AuthoritySource["kind"];
  readonly contentType: string;
  /** `parameters` are the token and, with `auth: "post"`, who asks. */
  body(parameters: Readonly<Record<string, string>>): string;
  /** What a 200 says; `null` when that is no answer. */
  read(json: Readonly<Record<string, unknown>>): AuthorityAnswer | null;
}

/** A question without an answer. */
export interface Failure {
  readonly status: "failed";
  readonly cause: "authority_unavailable" | "authority_misconfigured";
  /** For people; holds nothing of the answer, no token and no secret. */
  readonly why: string;
  /** Asking again at once may help. */
  readonly retriable: boolean;
  /** How long the authority wants to be left alone. */
  readonly pauseMs: number;
}

export type Reply = AuthorityAnswer | Failure;

/** Names the answer in errors. */
export const WHAT = "the authority's answer";

/** The longest `Retry-After` that is followed. */
const LONGEST_PAUSE_MS = 60_000;
/** Statuses of the 4xx that are about the moment and not about our request. */
const momentary = [408, 425, 429];
/** Statuses of whatever stands before the authority, when that did not get the question. */
const passing = [502, 503, 504];

export function failed(why: string, more: Partial<Failure> = {}): Failure {
  const cause = "authority_unavailable";
  return { status: "failed", cause, why, retriable: false, pauseMs: 0, ...more };
}

/** One request and its answer. Never rejects. */
export async function exchange(
  dialect: Dialect,
  settings: AuthoritySettings,
  clock: Clock,
  token: string,
  signal: AbortSignal,
): Promise<Reply> {
  let asked = false;
  try {
    const credentials = await settings.authentication();
    asked = true;
    const answer = await fetchJson(settings.url, {
      ...settings,
      what: WHAT,
      headers: { ...settings.headers, "content-type": dialect.contentType, ...credentials.headers },
      body: dialect.body({ token, ...credentials.body }),
      signal,
    });
    return answer.status === 200 ? read(dialect, answer.json) : refusal(answer, clock);
  } catch (error) {
    // What is not ours is from the connection: none was made, or it broke.
    if (asked) return failed(describe(error), { retriable: !isHoldfastError(error) });
    return failed(`bearerToken: ${describe(error)}`);
  }
}

function read(dialect: Dialect, json: unknown): Reply {
  const answer = isRecord(json) ? dialect.read(json) : null;
  return answer ?? failed(`${WHAT} has another form than that of ${dialect.kind}`);
}

/** A good token with these claims; `null` when one has the wrong type. Throws for `__proto__`. */
export function good(claims: unknown): AuthorityAnswer | null {
  if (!isRecord(claims) || !hasRegisteredTypes(claims)) return null;
  if (Number.isNaN(freeze(claims))) throw unusable(WHAT, "has a member __proto__");
  return { status: "yes", claims };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function refusal({ status, headers }: JsonAnswer, clock: Clock): Failure {
  const why = `the authority answered ${status}`;
  if (status >= 400 && status < 500 && !momentary.includes(status)) {
    return failed(why, { cause: "authority_misconfigured" });
  }
  const pauseMs = retryAfterMs(headers.get("retry-after"), clock);
  return failed(why, { pauseMs: pauseMs ?? 0, retriable: pauseMs === null && passing.includes(status) });
}

/** Seconds or a date (RFC 9110 §10.2.3); `null` when there is none. */
function retryAfterMs(header: string | null, clock: Clock): number | null {
  if (header === null) return null;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - clock.now();
  return Number.isNaN(ms) ? null : Math.min(LONGEST_PAUSE_MS, Math.max(0, ms));
}
