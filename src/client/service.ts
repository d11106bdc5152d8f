import { isOffline, parseObject, within } from "./platform.ts";
import { MAX_RETRY_AFTER_S } from "./timing.ts";
import type { ClientClock, TroubleCause } from "./types.ts";

/** An answer of the service, or the lack of one. */
export interface Answer {
  /** 0 when the service did not answer. */
  readonly status: number;
  /** The JSON object of the body. Empty when the body is anything else. */
  readonly body: Readonly<Record<string, unknown>>;
  /** The cause of the trouble, unless the caller understands the answer. */
  readonly cause: TroubleCause;
  /** The time of the next attempt, as the service wishes it. 0 when it does not. */
  readonly retryAfterMs: number;
}

/** Sends a request with the access token, or with the cookies. */
export type Send = (request: Request, access?: string) => Promise<Response>;

/** Sends a request to an endpoint below `/auth/`. Never rejects. */
export type Ask = (path: string, body?: object, access?: string, method?: string) => Promise<Answer>;

const read = async (response: Response): Promise<Answer> => {
  const { status, headers } = response;
  const causes: Record<number, TroubleCause> = { 409: "conflict", 429: "http_429" };
  return {
    status,
    // The refresh of a cookie has no body.
    body: { expires_in: Number(headers.get("Expires-In")), ...parseObject(await response.text()) },
    cause: causes[status] ?? (status < 400 ? "not_json" : `http_${status < 500 ? 4 : 5}xx`),
    // A date is left out (RFC 9110 §10.2.3), because the clock of the device may be wrong.
    retryAfterMs: Math.min(Number(headers.get("Retry-After")) || 0, MAX_RETRY_AFTER_S) * 1000,
  };
};

/** Creates the function that sends requests. */
export const createSend =
  (send: typeof fetch, hasCookies: boolean): Send =>
  async (request, access) => {
    const { headers, method } = request;
    if (access) headers.set("Authorization", `Bearer ${access}`);
    // The service takes cookies of an unsafe request only with this header, which no foreign page can send.
    if (hasCookies && !/^(?:GET|HEAD)$/.test(method)) headers.set("X-Holdfast", "1");
    return await send(request, hasCookies ? { credentials: "include" } : {});
  };

/** Creates the function that asks the service. Its requests survive the page, because each of them changes the session. */
export const createAsk = (url: URL, timeoutMs: number, clock: ClientClock, send: Send): Ask => {
  const base = `${url.href.replace(/\/$/, "")}/auth/`;

  return async (path, body, access, method = "POST") => {
    const abort = new AbortController();
    try {
      const request = new Request(base + path, {
        method,
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
        keepalive: true,
        // A redirect would hand the refresh token on to another place.
        redirect: "manual",
        signal: abort.signal,
      });
      return await within(clock, timeoutMs, send(request, access).then(read));
    } catch (error) {
      abort.abort();
      const cause = error ? (isOffline() ? "offline" : "network") : "timeout";
      return { status: 0, body: {}, cause, retryAfterMs: 0 };
    }
  };
};
