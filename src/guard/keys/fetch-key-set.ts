import { jittered } from "../../resilience/backoff.ts";
import { withDeadline } from "../../resilience/deadline.ts";
import { fetchJson, unusable, type Fetch } from "../fetch-json.ts";
import type { KeyLocation } from "./key-location.ts";
import type { KeyContext } from "./key-source.ts";
import { maxAgeMs, oldestMs } from "./max-age.ts";

export interface JwksSettings {
  readonly fetch: Fetch;
  readonly headers: Readonly<Record<string, string>>;
  /** `null`: as the answer says. */
  readonly freshMs: number | null;
  readonly maxStaleMs: number;
  readonly vanishedMs: number;
  readonly coolDownMs: number;
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

export interface FetchedSet {
  readonly url: string;
  readonly jwks: unknown;
  readonly freshForMs: number;
  /** How long it may have lain in caches on the way. */
  readonly oldestMs: number;
}

/** However short the time that an answer gives itself. */
const MIN_FRESH_MS = 300_000;
/** Where it gives none. */
const USUAL_FRESH_MS = 7_200_000;

/** Finds out where the set is and fetches it, in one deadline. Rejects when that fails, or when `signal` aborts. */
export async function fetchKeySet(
  location: KeyLocation,
  settings: JwksSettings,
  { clock, random }: Pick<KeyContext, "clock" | "random">,
  signal: AbortSignal,
): Promise<FetchedSet> {
  const what = "the key set";
  const work = async (until: AbortSignal) => {
    const url = await location.find(until);
    return { url, ...(await fetchJson(url, { ...settings, what, signal: until })) };
  };
  const { url, status, headers, json } = await withDeadline(clock, what, settings.timeoutMs, work, signal);
  if (status !== 200) throw unusable(what, `answered ${status}`);
  const freshForMs = jittered(freshMs(settings, headers), 0.1, random);
  return { url, jwks: json, freshForMs, oldestMs: oldestMs(headers) };
}

/** At most half of the time that a set may serve: the other half is for trying again. */
function freshMs({ freshMs: configured, maxStaleMs }: JwksSettings, headers: Headers): number {
  const said = maxAgeMs(headers);
  const wanted = configured ?? (said === null ? USUAL_FRESH_MS : Math.max(MIN_FRESH_MS, said));
  return Math.min(wanted, maxStaleMs / 2);
}
