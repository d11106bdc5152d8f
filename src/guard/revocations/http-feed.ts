import { randomOption } from "../../core/entropy-options.ts";
import { sleep, type Clock } from "../../core/clock.ts";
import {
  clockOption,
  functionOption,
  option,
  readOptions,
  readString,
  wholeOption,
  type OptionTable,
} from "../../core/options.ts";
import type { LogPosition, RevocationEntry } from "../../core/revocation.ts";
import { backoffMs } from "../../resilience/backoff.ts";
import { withDeadline } from "../../resilience/deadline.ts";
import type { RevocationFeed, RevocationTail, SnapshotPage } from "../../stores/store.ts";
import { readAllowHttp, type AllowedHttp } from "../allow-http.ts";
import { createClientAuthentication, type Renewable } from "../authority/client-authentication.ts";
import {
  fetchJson,
  platformFetch,
  requestHeaders,
  trustworthyUrl,
  unusableResponse,
  type Fetch,
} from "../fetch-json.ts";
import { parseEntries } from "./parse-entries.ts";
import { readSnapshotResponse, readTailResponse } from "./http-feed-schema.ts";

/** Options of `httpRevocations`. */
export interface HttpRevocationsOptions {
  /** The issuer's `/auth/revocations`: an https URL, or http on this machine. */
  url: string;
  /** The client of the issuer that reads the log, by HTTP Basic. */
  clientId: string;
  /** The secret, or a function that is called for it before each request. */
  clientSecret: Renewable<string>;
  /**
   * Deadline of one request, milliseconds. The time that the issuer waits for an entry is added. Default 5,000, which
   * is also the maximum, because a guard waits no longer.
   */
  timeoutMs?: number;
  /**
   * Deadline of one page of a snapshot, milliseconds. An issuer of an older version answers with one page that holds every
   * revocation in force. Default 60,000.
   */
  snapshotTimeoutMs?: number;
  /** Longest accepted response. One entry takes about 250 bytes. Default 67,108,864. */
  maxBytes?: number;
  /**
   * Hosts to which plain HTTP is allowed, on a network that you trust: exact names, addresses, and networks such as
   * `10.0.0.0/8`. Default: this machine only.
   */
  allowHttp?: readonly string[];
  /** Headers that are sent with each request. */
  headers?: Readonly<Record<string, string>>;
  /** Replaces the platform's `fetch`. */
  fetch?: Fetch;
  /** Times deadlines, pauses and back-off. Default: the system's clock. */
  clock?: Clock;
  /** Returns numbers from 0 to 1, for the jitter of the back-off. Default `Math.random`. */
  random?: () => number;
}

const OWNER = "httpRevocations";
const SUBJECT = "the revocation log";
/** The longest wait that an issuer grants to a request without a new entry, seconds. */
const WAIT_S = 5;
/** Pause after a response without a new entry. It limits the requests to an issuer that does not wait. */
const PAUSE_MS = 250;
const MAX_BACKOFF_MS = 5_000;

interface HttpRevocationsSettings extends Required<Omit<HttpRevocationsOptions, "allowHttp">> {
  readonly allowHttp: AllowedHttp;
}

/** The options of `httpRevocations`. */
export const httpRevocationsOptionTable: OptionTable<HttpRevocationsSettings> = {
  url: option(trustworthyUrl),
  clientId: option(readString),
  // The authentication of the client checks it.
  clientSecret: option((_name, value) => value as Renewable<string>),
  timeoutMs: wholeOption(5_000, 1, 5_000),
  snapshotTimeoutMs: wholeOption(60_000, 1),
  maxBytes: wholeOption(67_108_864, 1),
  allowHttp: option(readAllowHttp),
  headers: option(requestHeaders),
  fetch: functionOption<Fetch>(() => platformFetch),
  clock: clockOption(OWNER),
  random: randomOption,
};

/**
 * The revocation log of a Holdfast issuer, over HTTP, for guards that share no store with it.
 *
 * A subscription is one request that the issuer answers at the next revocation. Polls only keep the age of the view
 * low, so the guard's `revocationPollMs` may be several seconds. A process without other work
 * exits between two requests.
 *
 * Throws `invalid_option` or `missing_method`. Reads reject with `upstream_failed` for an unusable response and with
 * `timeout` at their deadline.
 *
 * @example
 * ```ts
 * import { createGuard, httpRevocations } from "holdfast";
 *
 * declare const clientSecret: string;
 *
 * const guard = createGuard({
 *   issuer: "https://auth.example.com",
 *   audience: "https://api.example.com",
 *   revocations: httpRevocations({
 *     url: "https://auth.example.com/auth/revocations",
 *     clientId: "orders-api",
 *     clientSecret,
 *   }),
 *   revocationPollMs: 5_000,
 * });
 * await guard.ready();
 * ```
 */
export function httpRevocations(options: HttpRevocationsOptions): RevocationFeed {
  const allowHttp = readAllowHttp(`${OWNER}: allowHttp`, Object(options).allowHttp);
  const url = option((name, value) => trustworthyUrl(name, value, allowHttp));
  const settings = readOptions(OWNER, options, { ...httpRevocationsOptionTable, url });
  const { timeoutMs, snapshotTimeoutMs, clock, random } = settings;
  const request = createRequest(settings);
  /** The newest known position in the log, where a subscription begins. */
  let latest: LogPosition | null = null;

  async function readTail(
    position: LogPosition,
    waitS: number,
    signal: AbortSignal,
  ): Promise<RevocationTail> {
    const { seq, epoch, chain } = position;
    const query = { after: String(seq), epoch, chain, wait: String(waitS) };
    const tail = await readTailResponse(clock, await request(query, timeoutMs + waitS * 1000, signal));
    if (tail === null) throw unusableResponse(SUBJECT, "answered with a malformed tail");
    latest = tail.status === "ok" ? endPosition(position, tail.entries) : null;
    return tail;
  }

  /** Runs until the signal. A failure only slows it down, because the guard's polls report it. */
  async function follow(
    listener: (entries: readonly RevocationEntry[]) => void,
    signal: AbortSignal,
  ): Promise<void> {
    let failures = 0;
    for (let position: LogPosition | null = null; !signal.aborted;) {
      let pauseMs = PAUSE_MS;
      try {
        position ??= latest;
        const tail = position && (await readTail(position, WAIT_S, signal));
        failures = 0;
        if (position !== null && tail?.status === "ok" && tail.entries.length > 0) {
          const end = endPosition(position, tail.entries);
          // An issuer that repeats known entries is asked again only after the pause.
          if (end.seq > position.seq) pauseMs = 0;
          position = end;
          listener(tail.entries);
        } else if (tail?.status === "gap") position = null;
      } catch {
        pauseMs = backoffMs(++failures, { firstMs: 2 * PAUSE_MS, maxMs: MAX_BACKOFF_MS, random });
      }
      if (pauseMs > 0) await sleep(clock, pauseMs, signal, false).catch(() => undefined);
    }
  }

  const neverAborted = new AbortController().signal;
  async function readPage(query: LogQuery): Promise<SnapshotPage> {
    const page = await readSnapshotResponse(clock, await request(query, snapshotTimeoutMs, neverAborted));
    if (page === null) throw unusableResponse(SUBJECT, "answered with a malformed snapshot");
    latest = page.position;
    return page;
  }

  return {
    snapshotTimeoutMs,
    async snapshot() {
      const { position, entries } = await readPage({});
      return { position, entries };
    },
    // An issuer of an older version answers the whole snapshot.
    snapshotPage: async (cursor) => await readPage({ page: cursor ?? "" }),
    after: async (position) => await readTail(position, 0, neverAborted),
    subscribe(listener) {
      const controller = new AbortController();
      void follow(listener, controller.signal);
      return () => controller.abort();
    },
  };
}

type LogQuery = Readonly<Record<string, string>>;

/** Sends one request to the log and returns its JSON. */
function createRequest({
  url: base,
  clientId,
  clientSecret,
  headers,
  maxBytes,
  fetch,
  clock,
}: HttpRevocationsSettings) {
  const credentials = createClientAuthentication(OWNER, { auth: "basic", clientId, clientSecret });
  return async (query: LogQuery, timeoutMs: number, signal: AbortSignal): Promise<unknown> => {
    const url = new URL(base);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const allHeaders = { ...headers, ...(await credentials({ issuer: base, clock })).headers };
    const load = async (deadline: AbortSignal) =>
      await fetchJson(url.href, {
        what: SUBJECT,
        fetch,
        headers: allHeaders,
        maxBytes,
        parse: async (bytes) => await parseEntries(clock, bytes),
        signal: deadline,
      });
    const { status, json } = await withDeadline(clock, SUBJECT, timeoutMs, load, signal);
    if (status !== 200) throw unusableResponse(SUBJECT, `answered ${status}`);
    return json;
  };
}

function endPosition(position: LogPosition, entries: readonly RevocationEntry[]): LogPosition {
  const { seq, chain } = entries.at(-1) ?? position;
  return { epoch: position.epoch, seq, chain };
}
