import type { Clock } from "../../core/clock.ts";
import { HoldfastError, isHoldfastError } from "../../core/errors.ts";
import { isRecord } from "../../core/json.ts";
import { requestAttributes, withSpan, type SpanStart } from "../../core/tracing.ts";
import { hasRegisteredTypes, nullableInAnswer, withoutNull } from "../../jwt/registered-claims.ts";
import { freezeAndCount } from "../../jwt/strict-json.ts";
import { abortable, withDeadline } from "../../resilience/deadline.ts";
import { describeError } from "../emit.ts";
import { fetchJson, type JsonResponse } from "../fetch-json.ts";
import { reportServerDate } from "../server-date.ts";
import { readRetryAfterMs } from "../retry-after.ts";
import type { AuthorityAnswer, AuthorityContext, AuthoritySource } from "./authority.ts";
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
  /** Whether an open connection broke. A server closes idle connections, which says nothing about its health. */
  readonly wasReset: boolean;
  /** Whether the token may be the cause. Such a failure says little about other tokens. */
  readonly mayConcernToken: boolean;
  /** How long the authority asked for no requests (`Retry-After`); 0 without that header. */
  readonly pauseMs: number;
}

/** A 200 that cannot be used. Its content depends on the token, so it tells nothing about other tokens. */
interface UnusableAnswer {
  readonly status: "unusable";
  /** For people, like that of a failure. */
  readonly reason: string;
}

export type AuthorityReply = AuthorityAnswer | AuthorityFailure | UnusableAnswer;

/** The name of the response in errors. */
export const ANSWER_LABEL = "the authority's answer";

/** The longest `Retry-After` that is followed. */
const MAX_PAUSE_MS = 60_000;
/** The 4xx statuses that are about the moment: Request Timeout, Too Early, Too Many Requests. */
const transientStatuses = [408, 425, 429];
/** The statuses of a gateway that could not pass the request on. */
const gatewayStatuses = [502, 503, 504];
/** The statuses by which a server refuses a request for its content, or fails on it. */
const contentStatuses = [400, 404, 413, 414, 422, 431, 500];
/** The error codes of a connection that was open and broke. `UND_ERR_SOCKET` is the code of the platform's `fetch`. */
const resetCodes = ["ECONNRESET", "EPIPE", "UND_ERR_SOCKET"];

export function makeFailure(reason: string, details: Partial<AuthorityFailure> = {}): AuthorityFailure {
  const cause = "authority_unavailable";
  return {
    status: "failed",
    cause,
    reason,
    mayRetry: false,
    wasReset: false,
    mayConcernToken: false,
    pauseMs: 0,
    ...details,
  };
}

/** The outcome of a request in the metrics. */
export function replyOutcome(reply: AuthorityReply): "yes" | "no" | "failed" | "unusable" | "misconfigured" {
  if (reply.status !== "failed") return reply.status;
  return reply.cause === "authority_misconfigured" ? "misconfigured" : "failed";
}

/** How one question is sent. */
export interface Delivery {
  /** Runs the request when there is a free place. */
  readonly admit: <T>(send: () => Promise<T>) => Promise<T>;
  readonly mayRetry: (failure: AuthorityFailure) => boolean;
  /** Whether the guard asks in the background about a token of its own. Default false. */
  readonly isProbe?: boolean;
  /** Called when the request leaves. */
  readonly onSent?: () => void;
}

/** A question with less than this share of its time left is not sent. */
const MIN_TIME_SHARE = 1 / 100;
const QUEUED = "the time ended while the question waited for a free place";

/** Sends a question, and once more if `mayRetry` allows it, within one deadline. Never rejects. */
export async function requestAnswer(
  protocol: AuthorityProtocol,
  settings: AuthoritySettings,
  context: AuthorityContext,
  token: string,
  delivery: Delivery,
  closing: AbortSignal,
): Promise<AuthorityReply> {
  const { guard, issuer, tracing } = context;
  const start = (): SpanStart => ({
    name: "holdfast.authority.ask",
    kind: "client",
    attributes: {
      "holdfast.guard": guard,
      "holdfast.issuer": issuer,
      ...requestAttributes("POST", settings.url),
    },
    ...(delivery.isProbe === true && { parent: "none" }),
  });
  return await withSpan(tracing, start, async (span) => {
    const reply = await sendQuestion(protocol, settings, context, token, delivery, closing);
    const outcome = replyOutcome(reply);
    span.set({ "holdfast.outcome": outcome });
    if (outcome !== "yes" && outcome !== "no") span.fail(outcome);
    return reply;
  });
}

async function sendQuestion(
  protocol: AuthorityProtocol,
  settings: AuthoritySettings,
  context: AuthorityContext,
  token: string,
  { admit, mayRetry, onSent }: Delivery,
  closing: AbortSignal,
): Promise<AuthorityReply> {
  const { clock } = context;
  const { timeoutMs } = settings;
  const endsAt = clock.monotonic() + timeoutMs;
  const sendOnce = async (signal: AbortSignal) =>
    await admit(async () => {
      // A question whose time ended in the queue would only cost the others a place. A question with almost no
      // time left is not sent, either. Questions of one moment end together, and each frees its place for the next one.
      signal.throwIfAborted();
      if (endsAt - clock.monotonic() < MIN_TIME_SHARE * timeoutMs) throw new HoldfastError("timeout", QUEUED);
      onSent?.();
      // A function for the secret or a `fetch` may never answer. It must not keep its place among the requests.
      return await abortable(sendAuthorityRequest(protocol, settings, context, token, signal), signal);
    });
  const send = async (signal: AbortSignal) => {
    const reply = await sendOnce(signal);
    if (reply.status !== "failed" || !reply.mayRetry || !mayRetry(reply)) return reply;
    context.tracing?.annotate({ "http.request.resend_count": 1 });
    return await sendOnce(signal);
  };
  try {
    return await withDeadline(clock, ANSWER_LABEL, timeoutMs, send, closing);
  } catch (error) {
    return makeFailure(describeError(error));
  }
}

/** Sends one request and reads the response. Never rejects. */
async function sendAuthorityRequest(
  protocol: AuthorityProtocol,
  settings: AuthoritySettings,
  context: AuthorityContext,
  token: string,
  signal: AbortSignal,
): Promise<AuthorityReply> {
  let isSent = false;
  try {
    const credentials = await settings.authentication(context);
    isSent = true;
    const sentAt = context.clock.monotonic();
    const response = await fetchJson(settings.url, {
      ...settings,
      what: ANSWER_LABEL,
      headers: {
        ...context.tracing?.requestHeaders(),
        ...settings.headers,
        "content-type": protocol.contentType,
        ...credentials.headers,
      },
      body: protocol.encodeBody({ token, ...credentials.body }),
      signal,
    });
    reportServerDate(context, response, sentAt);
    context.tracing?.annotate({ "http.response.status_code": response.status });
    return response.status === 200 ? readBody(protocol, response.json) : readFailure(response, context.clock);
  } catch (error) {
    const reason = describeError(error);
    if (!isSent) return makeFailure(reason);
    if (isHoldfastError(error, "upstream_failed")) return { status: "unusable", reason };
    return makeFailure(reason, {
      mayRetry: isAboutConnection(error),
      wasReset: resetCodes.includes(reason),
    });
  }
}

/** Errors of `fetch` name a cause or a code. Any other error comes from a mistake, which a retry repeats. */
function isAboutConnection(error: unknown): boolean {
  if (!(error instanceof Error) || isHoldfastError(error)) return false;
  return error.cause !== undefined || typeof (error as { code?: unknown }).code === "string";
}

function readBody(protocol: AuthorityProtocol, json: unknown): AuthorityReply {
  let answer: AuthorityAnswer | null;
  try {
    answer = isRecord(json) ? protocol.readAnswer(json) : null;
  } catch {
    // The answer is nested so deeply that reading it exceeds the stack.
    answer = null;
  }
  const reason = `${ANSWER_LABEL} does not have the form of ${protocol.kind}`;
  return answer ?? { status: "unusable", reason };
}

/**
 * The answer for an active token with these claims. A registered claim that is `null` counts as absent, because several
 * serializers write absent members so. `null` when a claim has the wrong type, or a member is named `__proto__`.
 */
export function acceptClaims(given: unknown): AuthorityAnswer | null {
  const claims = isRecord(given) ? withoutNull(given, nullableInAnswer) : null;
  if (claims === null || !hasRegisteredTypes(claims)) return null;
  return Number.isNaN(freezeAndCount(claims)) ? null : { status: "yes", claims };
}

function readFailure({ status, headers }: JsonResponse, clock: Clock): AuthorityFailure {
  const reason = `the authority answered ${status}`;
  const mayConcernToken = contentStatuses.includes(status);
  if (status >= 400 && status < 500 && !transientStatuses.includes(status)) {
    return makeFailure(reason, { cause: "authority_misconfigured", mayConcernToken });
  }
  const pauseMs = readRetryAfterMs(headers, clock, MAX_PAUSE_MS);
  return makeFailure(reason, {
    pauseMs: pauseMs ?? 0,
    mayConcernToken,
    mayRetry: pauseMs === null && gatewayStatuses.includes(status),
  });
}
