import { TimedOut, within } from "./clock.ts";
import { parseObject } from "./json.ts";
import { isOffline } from "./online.ts";
import type { AuthClientOptions, ClientClock, TroubleCause } from "./types.ts";

/** A longer `Retry-After` is cut to this. */
const MAX_RETRY_AFTER_S = 3_600;

/** An answer of the service, or the lack of one. */
export interface Answer {
  /** 0 when the service did not answer. */
  readonly status: number;
  /** The JSON object of the body. Empty when the body is anything else. */
  readonly body: Readonly<Record<string, unknown>>;
  /** The life of a new cookie, in seconds. `null` when the service tells none. */
  readonly expiresIn?: string | null;
  /** The cause of the trouble, unless the caller understands the answer. */
  readonly cause: TroubleCause;
  /** The time of the next attempt, as the service wishes it. 0 when it does not. */
  readonly retryAfterMs: number;
}

/** Sends a request to the auth service. Never rejects. */
export type Ask = (path: string, body?: object, bearer?: string, method?: string) => Promise<Answer>;

/** Creates the function that sends requests. They survive the page, because each of them changes the session. */
export function createAsk(url: string, options: AuthClientOptions, clock: ClientClock): Ask {
  const { mode, timeoutMs = 10_000 } = options;

  async function receive(path: string, init: RequestInit): Promise<Answer> {
    const { fetch = globalThis.fetch } = options;
    const response = await fetch(url + path, init);
    const { status, headers } = response;
    const body = parseObject(await response.text());
    const group = status === 429 ? "http_429" : status < 500 ? "http_4xx" : "http_5xx";
    const cause = status < 400 ? "not_json" : group;
    // A date is left out (RFC 9110 §10.2.3), because the clock of the device may be wrong.
    const seconds = Math.min(Number(headers.get("Retry-After")) || 0, MAX_RETRY_AFTER_S);
    return { status, body, expiresIn: headers.get("Expires-In"), cause, retryAfterMs: seconds * 1000 };
  }

  return async (path, body, bearer, method = "POST") => {
    const abort = new AbortController();
    const headers = new Headers(body && { "Content-Type": "application/json" });
    if (mode === "cookie") headers.set("X-Holdfast", "1");
    else if (bearer) headers.set("Authorization", `Bearer ${bearer}`);
    try {
      const answer = receive(path, {
        method,
        headers,
        body: body ? JSON.stringify(body) : null,
        credentials: mode === "cookie" ? "include" : "same-origin",
        cache: "no-store",
        keepalive: true,
        // A redirect would hand the refresh token on to another place.
        redirect: "manual",
        signal: abort.signal,
      });
      return await within(clock, timeoutMs, answer);
    } catch (error) {
      abort.abort();
      const cause = error instanceof TimedOut ? "timeout" : isOffline() ? "offline" : "network";
      return { status: 0, body: {}, cause, retryAfterMs: 0 };
    }
  };
}
