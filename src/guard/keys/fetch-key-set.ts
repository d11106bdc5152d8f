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
  /** How long it may have lain in caches on the way. */
  readonly cachedForMs: number;
}

/** However short the time that an answer gives itself. */
const MIN_FRESH_MS = 300_000;
/** Where it gives none. */
const DEFAULT_FRESH_MS = 7_200_000;

/** Finds out where the set is and fetches it, in one deadline. Rejects when that fails, or when `signal` aborts. */
export async function fetchKeySet(
  location: KeyLocation,
  settings: JwksSettings,
  { clock, random }: Pick<KeyContext, "clock" | "random">,
  signal: AbortSignal,
): Promise<FetchedKeySet> {
  const label = "the key set";
  const fetchWithin = async (until: AbortSignal) => {
    const url = await location.resolveUrl(until);
    return { url, ...(await fetchJson(url, { ...settings, what: label, signal: until })) };
  };
  const { url, status, headers, json } = await withDeadline(
    clock,
    label,
    settings.timeoutMs,
    fetchWithin,
    signal,
  );
  if (status !== 200) throw unusableResponse(label, `answered ${status}`);
  const freshForMs = jitter(chooseFreshMs(settings, headers), 0.1, random);
  return { url, jwks: json, freshForMs, cachedForMs: cachedForMs(headers) };
}

/** At most half of the time that a set may serve: the other half is for trying again. */
function chooseFreshMs({ freshMs: configured, maxStaleMs }: JwksSettings, headers: Headers): number {
  const maxAge = maxAgeMs(headers);
  const preferredMs = configured ?? (maxAge === null ? DEFAULT_FRESH_MS : Math.max(MIN_FRESH_MS, maxAge));
  return Math.min(preferredMs, maxStaleMs / 2);
}
