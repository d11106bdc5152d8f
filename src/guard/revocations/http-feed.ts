import { sleep, systemClock, type Clock } from "../../core/clock.ts";
import { invalidOption, rejectUnknownOptions, requireMethods, readWholeNumber } from "../../core/options.ts";
import type { LogPosition, RevocationEntry } from "../../core/revocation.ts";
import { backoffMs } from "../../resilience/backoff.ts";
import { withDeadline } from "../../resilience/deadline.ts";
import type { RevocationFeed, RevocationTail } from "../../stores/store.ts";
import { createClientAuthentication } from "../authority/client-authentication.ts";
import { fetchJson, requestHeaders, trustworthyUrl, unusableResponse, type Fetch } from "../fetch-json.ts";
import { isSnapshot, isTail } from "./http-feed-schema.ts";

export interface HttpRevocationsOptions {
  /** The issuer's `/auth/revocations`: an https URL, or http on this machine. */
  url: string;
  clientId: string;
  clientSecret: string;
  /** For one question and the last byte of its answer, besides the time that the issuer waits for news. Default 5,000, the most that a guard waits. */
  timeoutMs?: number;
  /** The same for a snapshot, which is of everything in force. Default 60,000. */
  snapshotTimeoutMs?: number;
  /** Of an answer: an entry takes some 250. Default 67,108,864. */
  maxBytes?: number;
  /** Sent with each request. */
  headers?: Readonly<Record<string, string>>;
  /** By default the platform's. */
  fetch?: Fetch;
  clock?: Clock;
  /** From 0 to 1, for jitter. Default `Math.random`. */
  random?: () => number;
}

const WHAT = "the revocation log";
/** How long the issuer may wait for news, in seconds: as long as it is willing to. */
const WAIT_S = 5;
/** Between two questions that brought nothing, whatever the issuer does about waiting. */
const PAUSE_MS = 250;
const MAX_BACKOFF_MS = 5_000;

type LogQuery = Readonly<Record<string, string>>;

/**
 * The revocation log of an issuer elsewhere, for guards that share no store with it. A subscription is one request
 * that the issuer answers at the next revocation; polls are for the age of the view, so `revocationPollMs` may be
 * seconds. A subscription keeps the process alive until the guard is closed. Throws `invalid_option` or
 * `missing_method`.
 */
export function httpRevocations(options: HttpRevocationsOptions): RevocationFeed {
  const { clock = systemClock, random = Math.random } = options;
  const limit = (name: "timeoutMs" | "snapshotTimeoutMs", preset: number, max?: number) =>
    readWholeNumber(`httpRevocations: ${name}`, options[name], {
      default: preset,
      min: 1,
      ...(max && { max }),
    });
  const timeoutMs = limit("timeoutMs", 5_000, 5_000);
  const snapshotTimeoutMs = limit("snapshotTimeoutMs", 60_000);
  const ask = createRequester(options, clock, random);
  /** A place that is in the log, as far as anybody here has seen. */
  let latest: LogPosition | null = null;

  async function tail(position: LogPosition, waitS: number, signal: AbortSignal): Promise<RevocationTail> {
    const { seq, epoch, chain } = position;
    const place = { after: String(seq), epoch, chain, wait: String(waitS) };
    const answer = await ask(place, timeoutMs + waitS * 1000, signal);
    if (!isTail(answer)) throw unusableResponse(WHAT, "has a tail of another form");
    latest = answer.status === "ok" ? endPosition(position, answer.entries) : null;
    return answer;
  }

  /** Ends with the signal. Failures are told by who polls; here they only slow us down. */
  async function follow(tell: (entries: readonly RevocationEntry[]) => void, signal: AbortSignal) {
    let failures = 0;
    for (let from: LogPosition | null = null; !signal.aborted;) {
      let pauseMs = PAUSE_MS;
      try {
        from ??= latest;
        const answer = from && (await tail(from, WAIT_S, signal));
        failures = 0;
        if (from !== null && answer?.status === "ok" && answer.entries.length > 0) {
          const end = endPosition(from, answer.entries);
          // What was told before brings nothing either.
          if (end.seq > from.seq) pauseMs = 0;
          from = end;
          tell(answer.entries);
        } else if (answer?.status === "gap") from = null;
      } catch {
        pauseMs = backoffMs(++failures, { firstMs: 2 * PAUSE_MS, maxMs: MAX_BACKOFF_MS, random });
      }
      if (pauseMs > 0) await sleep(clock, pauseMs, signal).catch(() => undefined);
    }
  }

  const always = new AbortController().signal;
  return {
    snapshotTimeoutMs,
    async snapshot() {
      const answer = await ask({}, snapshotTimeoutMs, always);
      if (!isSnapshot(answer)) throw unusableResponse(WHAT, "has a snapshot of another form");
      latest = answer.position;
      return answer;
    },
    after: async (position) => await tail(position, 0, always),
    subscribe(listener) {
      const ending = new AbortController();
      void follow(listener, ending.signal);
      return () => ending.abort();
    },
  };
}

/** The options, checked and bound to one place of the log at a time. */
function createRequester(options: HttpRevocationsOptions, clock: Clock, random: () => number) {
  const owner = "httpRevocations";
  rejectUnknownOptions(owner, options, known);
  const { clientId, clientSecret, fetch = globalThis.fetch } = options;
  if (typeof fetch !== "function") throw invalidOption(`${owner}: fetch`, "a function", fetch);
  if (typeof random !== "function") throw invalidOption(`${owner}: random`, "a function", random);
  requireMethods(owner, "clock", clock, ["now", "monotonic", "after"]);
  const headers = requestHeaders(`${owner}: headers`, options.headers);
  const base = trustworthyUrl(`${owner}: url`, options.url);
  const credentials = createClientAuthentication(owner, { auth: "basic", clientId, clientSecret });
  const maxBytes = readWholeNumber(`${owner}: maxBytes`, options.maxBytes, { default: 67_108_864, min: 1 });
  return async (place: LogQuery, timeoutMs: number, signal: AbortSignal): Promise<unknown> => {
    const url = new URL(base);
    for (const [name, value] of Object.entries(place)) url.searchParams.set(name, value);
    const all = { ...headers, ...(await credentials()).headers };
    const load = async (until: AbortSignal) =>
      await fetchJson(url.href, { what: WHAT, fetch, headers: all, maxBytes, signal: until });
    const { status, json } = await withDeadline(clock, WHAT, timeoutMs, load, signal);
    if (status !== 200) throw unusableResponse(WHAT, `answered ${status}`);
    return json;
  };
}

/** Every option there is; the compiler keeps it complete. */
const known = Object.keys({
  url: 0,
  clientId: 0,
  clientSecret: 0,
  timeoutMs: 0,
  snapshotTimeoutMs: 0,
  maxBytes: 0,
  headers: 0,
  fetch: 0,
  clock: 0,
  random: 0,
} satisfies Record<keyof HttpRevocationsOptions, 0>);

function endPosition(position: LogPosition, entries: readonly RevocationEntry[]): LogPosition {
  const { seq, chain } = entries.at(-1) ?? position;
  return { epoch: position.epoch, seq, chain };
}
