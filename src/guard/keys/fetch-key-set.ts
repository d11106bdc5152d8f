import { HoldfastError, isHoldfastError } from "../../core/errors.ts";
import {
  requestAttributes,
  withSpan,
  type OpenSpan,
  type SpanReference,
  type SpanStart,
} from "../../core/tracing.ts";
import { jitter } from "../../resilience/backoff.ts";
import { withDeadline } from "../../resilience/deadline.ts";
import { fetchJson, type JsonResponse } from "../fetch-json.ts";
import { reportServerDate } from "../server-date.ts";
import { recordKeyFetch } from "../metrics/record-request.ts";
import { readRetryAfterMs } from "../retry-after.ts";
import { cachedForMs, maxAgeMs } from "./cache-control.ts";
import type { JwksSettings } from "./jwks-options.ts";
import type { KeyContext } from "./key-source.ts";

/** Where a key set is fetched from. */
export interface KeyLocation {
  readonly kind: "discovered" | "jwks";
  /** Whether another `iss` than the configured one may be the true name of the issuer, as far as the metadata tells. */
  mayBeNamed?(iss: string, host: string): boolean;
  /** The URL that the next attempt begins with. */
  firstUrl(): string;
  /** The URL of the key set. Rejects when the URL is unknown and cannot be discovered. */
  resolveUrl(signal: AbortSignal): Promise<string>;
  /** Reports that the last fetch from this URL failed: the URL may be out of date. */
  requireRevalidation(): void;
  /** Offers the URL of a saved key set. Returns whether a set from that URL may be used. */
  restore(savedUrl: string): boolean;
  /** Drops everything that was discovered. */
  forget(): void;
}

export interface FetchedKeySet {
  readonly url: string;
  readonly jwks: unknown;
  readonly freshForMs: number;
  /** The longest time that the response may have spent in caches. */
  readonly cachedForMs: number;
}

/** How one attempt is made. */
export interface FetchKeySetCall {
  readonly signal: AbortSignal;
  /** Whether the request asks the caches on the way for the copy of the origin server (RFC 9111 §5.2.1.4). */
  readonly bypassCaches: boolean;
  /** Whether a broken connection, or an answer of 502 to 504, is tried once more at once. */
  readonly repeats: boolean;
  /** Whether a caller waits for it. */
  readonly isAwaited: boolean;
  /** Called with the span of the fetch. */
  readonly onSpan: (span: SpanReference | undefined) => void;
}

/** A set stays fresh at least this long, even when `Cache-Control` allows less. */
const MIN_FRESH_MS = 300_000;
/** How long a set stays fresh when `Cache-Control` does not say. */
const DEFAULT_FRESH_MS = 7_200_000;

/** Some providers answer 406 to a request that accepts `application/json` only (RFC 7517 §8.5). */
const ACCEPT = "application/json, application/jwk-set+json";

/** Resolves the URL and fetches the set within one deadline. Rejects on failure, and when `signal` aborts. */
export async function fetchKeySet(
  location: KeyLocation,
  settings: JwksSettings,
  context: KeyContext,
  call: FetchKeySetCall,
): Promise<FetchedKeySet> {
  const { guard, issuer, tracing } = context;
  const start = (): SpanStart => ({
    name: "holdfast.keys.fetch",
    kind: "client",
    attributes: {
      "holdfast.guard": guard,
      "holdfast.issuer": issuer,
      ...requestAttributes("GET", location.firstUrl()),
    },
    ...(!call.isAwaited && { parent: "none" }),
  });
  return await withSpan(tracing, start, async (span) => {
    call.onSpan(span.reference);
    return await fetchWithSpan(location, settings, context, call, span);
  });
}

async function fetchWithSpan(
  location: KeyLocation,
  settings: JwksSettings,
  context: KeyContext,
  { signal, bypassCaches, repeats }: FetchKeySetCall,
  span: OpenSpan,
): Promise<FetchedKeySet> {
  const { clock, random, hosts } = context;
  const what = "the key set";
  const headers = {
    ...context.tracing?.requestHeaders(),
    accept: ACCEPT,
    ...(bypassCaches && { "cache-control": "no-cache" }),
    ...settings.headers,
  };
  const fetchWithin = async (until: AbortSignal) => {
    const url = await location.resolveUrl(until);
    hosts?.throwIfPaused(url);
    const fetchOnce = async () => {
      const sentAt = clock.monotonic();
      const answer = await fetchJson(url, { ...settings, headers, what, bypassCaches, signal: until });
      reportServerDate(context, answer, sentAt);
      return answer;
    };
    const response = repeats ? await repeatOnce(fetchOnce, until) : await fetchOnce();
    return { url, ...response };
  };
  const { timeoutMs } = settings;
  const attempt = async () => await withDeadline(clock, what, timeoutMs, fetchWithin, signal);
  const startedAt = clock.monotonic();
  const record = (outcome: "ok" | "failed") =>
    recordKeyFetch(context, outcome, clock.monotonic() - startedAt);
  const run = hosts?.run(location.firstUrl(), timeoutMs, signal, attempt) ?? attempt();
  const response = await run.catch((error: unknown) => {
    if (!signal.aborted) record("failed");
    throw error;
  });
  const { url, status, json } = response;
  record(status === 200 ? "ok" : "failed");
  span.set({ "http.response.status_code": status });
  if (status !== 200) throw badStatus(what, url, response, { clock, hosts });
  const freshForMs = jitter(chooseFreshMs(settings, response.headers), 0.1, random);
  return { url, jwks: json, freshForMs, cachedForMs: cachedForMs(response.headers) };
}

/** The longest `Retry-After` that is followed. */
const MAX_RETRY_AFTER_MS = 600_000;

/** The error for a status other than 200. A `Retry-After` counts for the whole host. Its `retryAfterMs` is the time that the server asks for, else 0. */
export function badStatus(
  what: string,
  url: string,
  { status, headers }: JsonResponse,
  { clock, hosts }: Pick<KeyContext, "clock"> & { readonly hosts?: KeyContext["hosts"] | undefined },
): HoldfastError {
  const retryAfterMs = readRetryAfterMs(headers, clock, MAX_RETRY_AFTER_MS) ?? 0;
  hosts?.recordAnswer(url, status, retryAfterMs);
  return new HoldfastError("upstream_failed", `${what} answered ${status}`, { retryAfterMs });
}

/** The time for which the server of a failed attempt asked for no requests, else 0. It is shorter until a set is usable. */
export function askedPauseMs(error: unknown, isSetUsable: boolean): number {
  if (!isHoldfastError(error)) return 0;
  return Math.min(error.retryAfterMs, isSetUsable ? MAX_RETRY_AFTER_MS : MAX_RETRY_AFTER_MS / 10);
}

/** Makes a second attempt after a failure of the connection or of a gateway. Any other failure would repeat itself. */
async function repeatOnce(
  fetchOnce: () => Promise<JsonResponse>,
  signal: AbortSignal,
): Promise<JsonResponse> {
  try {
    const response = await fetchOnce();
    const { status, headers } = response;
    if (status < 502 || status > 504 || headers.has("retry-after")) return response;
  } catch (error) {
    if (signal.aborted || !isBrokenConnection(error)) throw error;
  }
  return await fetchOnce();
}

/** The codes of Node and undici for a connection that ended early. A server that cannot be reached has other codes. */
const BROKEN_CONNECTION_CODES = new Set([
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ERR_STREAM_PREMATURE_CLOSE",
  "UND_ERR_SOCKET",
]);

/** Whether the connection broke before the end of the response: the error, or one of its causes, says so. */
function isBrokenConnection(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (BROKEN_CONNECTION_CODES.has(String((cause as { code?: unknown }).code))) return true;
    // undici reports a body that was cut with this message.
    if (cause instanceof TypeError && cause.message === "terminated") return true;
  }
  return false;
}

/** At most half of `maxStaleMs`, so that the other half is left for retries. */
function chooseFreshMs({ freshMs, maxStaleMs }: JwksSettings, headers: Headers): number {
  const maxAge = maxAgeMs(headers);
  const preferredMs = freshMs ?? (maxAge === null ? DEFAULT_FRESH_MS : Math.max(MIN_FRESH_MS, maxAge));
  return Math.min(preferredMs, maxStaleMs / 2);
}
