import { systemClock, sleep, type Clock } from "../../core/clock.ts";
import { HoldfastError } from "../../core/errors.ts";
import { readBody, type Fetch } from "../fetch-json.ts";
import { cachedForMs, maxAgeMs } from "../keys/cache-control.ts";

/** The limits of `shareResponses`, in milliseconds and bytes. */
export interface SharedResponsesLimits {
  readonly coolDownMs: number;
  readonly maxStaleMs: number;
  readonly maxBytes: number;
}

/** The plain data that requests share about one URL. A response object belongs to the request that made it. */
interface SharedResponse {
  text: string | null;
  cacheControl: string;
  storedAt: number;
  freshForMs: number;
  /** When a request began to fetch. `null` while none does. */
  fetchingSince: number | null;
  failedAt: number;
}

/** A set stays fresh at least this long, and as long as the second value when `Cache-Control` does not say. */
const [MIN_FRESH_MS, DEFAULT_FRESH_MS] = [300_000, 7_200_000];
/** A request that waits for another one looks this often. */
const LOOK_MS = 5;
/** No request fetches this soon after a failure. */
const FAILURE_PAUSE_MS = 1_000;
/** A fetch counts as lost after this time, because its request may have ended. Another request then begins. */
const LOST_FETCH_MS = 1_000;
/** A key source has the URL of its set, and at most two of metadata. */
const MAX_URLS = 8;

/**
 * Shares the responses of `fetch` between requests. At most one request fetches a URL at a time. The others use the stored
 * copy, or look at it until it arrives: no request waits for a promise of another. A request that ends before its response
 * arrives is replaced after a second.
 */
export function shareResponses(
  fetch: Fetch,
  limits: SharedResponsesLimits,
  clock: Clock = systemClock,
): Fetch {
  const shared = new Map<string, SharedResponse>();
  return async (url, init) => {
    if (!shared.has(url) && shared.size >= MAX_URLS) shared.clear();
    const entry = shared.get(url) ?? createEntry();
    shared.set(url, entry);
    const wantsOrigin = init.cache === "no-store";
    for (;;) {
      const now = clock.now();
      const ageMs = now - entry.storedAt;
      const usableForMs = wantsOrigin ? limits.coolDownMs : entry.freshForMs;
      const isFetching = entry.fetchingSince !== null && now - entry.fetchingSince < LOST_FETCH_MS;
      const isPausing = now - entry.failedAt < FAILURE_PAUSE_MS;
      const isUsable = entry.text !== null && ageMs < limits.maxStaleMs;
      if (isUsable && (ageMs < usableForMs || isFetching || isPausing)) return toResponse(entry, ageMs);
      if (!isFetching && isPausing) throw new HoldfastError("upstream_failed", "the last fetch failed");
      if (!isFetching) return await fetchInto(entry, fetch, url, init, limits, clock);
      await sleep(clock, LOOK_MS, init.signal ?? undefined);
    }
  };
}

function createEntry(): SharedResponse {
  return {
    text: null,
    cacheControl: "",
    storedAt: 0,
    freshForMs: 0,
    fetchingSince: null,
    failedAt: -Infinity,
  };
}

async function fetchInto(
  entry: SharedResponse,
  fetch: Fetch,
  url: string,
  init: RequestInit,
  { maxBytes, maxStaleMs }: SharedResponsesLimits,
  clock: Clock,
): Promise<Response> {
  entry.fetchingSince = clock.now();
  try {
    const response = await fetch(url, init);
    if (response.status !== 200) {
      entry.failedAt = clock.now();
      return response;
    }
    const { signal } = init as { signal: AbortSignal };
    const text = (await readBody("the response", response, maxBytes, signal)).toString();
    JSON.parse(text);
    const { headers } = response;
    entry.text = text;
    entry.cacheControl = headers.get("cache-control") ?? "";
    entry.storedAt = clock.now() - cachedForMs(headers);
    const maxAge = maxAgeMs(headers);
    entry.freshForMs = maxAge === null ? DEFAULT_FRESH_MS : Math.max(MIN_FRESH_MS, maxAge);
    return toResponse(entry, clock.now() - entry.storedAt);
  } catch (error) {
    entry.failedAt = clock.now();
    const ageMs = clock.now() - entry.storedAt;
    // The last good answer serves through an outage.
    if (entry.text !== null && ageMs < maxStaleMs) return toResponse(entry, ageMs);
    throw error;
  } finally {
    entry.fetchingSince = null;
  }
}

/** The guard sees how old the copy is, and does not take a missing key for proof. */
function toResponse({ text, cacheControl }: SharedResponse, ageMs: number): Response {
  const headers = { "content-type": "application/json", "cache-control": cacheControl };
  const age = Math.max(0, Math.floor(ageMs / 1000));
  return new Response(text, { headers: { ...headers, ...(age > 0 && { age: String(age) }) } });
}
