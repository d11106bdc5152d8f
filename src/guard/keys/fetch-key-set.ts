import { jitter } from "../../resilience/backoff.ts";
import { withDeadline } from "../../resilience/deadline.ts";
import { fetchJson, unusableResponse } from "../fetch-json.ts";
import { cachedForMs, maxAgeMs } from "./cache-control.ts";
import type { JwksSettings } from "./jwks-options.ts";
import type { KeyContext } from "./key-source.ts";

/** Where a key set is fetched from. */
export interface KeyLocation {
  readonly kind: "discovered" | "jwks";
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

/** A set stays fresh at least this long, even when `Cache-Control` allows less. */
const MIN_FRESH_MS = 300_000;
/** How long a set stays fresh when `Cache-Control` does not say. */
const DEFAULT_FRESH_MS = 7_200_000;

/** Resolves the URL and fetches the set within one deadline. Rejects on failure, and when `signal` aborts. */
export async function fetchKeySet(
  location: KeyLocation,
  settings: JwksSettings,
  { clock, random }: Pick<KeyContext, "clock" | "random">,
  signal: AbortSignal,
): Promise<FetchedKeySet> {
  const what = "the key set";
  const fetchWithin = async (until: AbortSignal) => {
    const url = await location.resolveUrl(until);
    return { url, ...(await fetchJson(url, { ...settings, what, signal: until })) };
  };
  const { timeoutMs } = settings;
  const { url, status, headers, json } = await withDeadline(clock, what, timeoutMs, fetchWithin, signal);
  if (status !== 200) throw unusableResponse(what, `answered ${status}`);
  const freshForMs = jitter(chooseFreshMs(settings, headers), 0.1, random);
  return { url, jwks: json, freshForMs, cachedForMs: cachedForMs(headers) };
}

/** At most half of `maxStaleMs`, so that the other half is left for retries. */
function chooseFreshMs({ freshMs, maxStaleMs }: JwksSettings, headers: Headers): number {
  const maxAge = maxAgeMs(headers);
  const preferredMs = freshMs ?? (maxAge === null ? DEFAULT_FRESH_MS : Math.max(MIN_FRESH_MS, maxAge));
  return Math.min(preferredMs, maxStaleMs / 2);
}
