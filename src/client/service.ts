import { isOffline, parseObject, within } from "./platform.ts";
import { MAX_RETRY_AFTER_MS } from "./timing.ts";
import type { Session } from "./session.ts";
import type { TroubleCause } from "./types.ts";

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

const causeOf = (status: number) => {
  if (status < 400) return "not_json";
  if (status === 409) return "conflict";
  return `http_${status === 429 ? status : `${String(status)[0]}xx`}` as TroubleCause;
};

const read = async (response: Response): Promise<Answer> => {
  const { status, headers } = response;
  return {
    status,
    // The refresh of a cookie has no body.
    body: { expires_in: Number(headers.get("Expires-In")), ...parseObject(await response.text()) },
    cause: causeOf(status),
    // A date is left out (RFC 9110 §10.2.3), because the clock of the device may be wrong.
    retryAfterMs: Math.min(Number(headers.get("Retry-After")) * 1000 || 0, MAX_RETRY_AFTER_MS),
  };
};

/** Sends a request with the access token, or with the cookies. */
export const send = async (session: Session, request: Request, access?: string): Promise<Response> => {
  if (access) request.headers.set("Authorization", `Bearer ${access}`);
  // The service takes cookies of an unsafe request only with this header, which no foreign page can send.
  if (session.hasCookies && !/^(GET|HEAD)$/.test(request.method)) request.headers.set("X-Holdfast", "1");
  return await session.fetch(request, session.hasCookies ? { credentials: "include" } : {});
};

/**
 * Sends a request to an endpoint below `/auth/`: by default a POST with a body, and a GET without one. Never rejects. The
 * request survives the page, because most of them change the session.
 */
export const ask = async (
  session: Session,
  path: string,
  body?: object,
  access?: string,
  method: string = body ? "POST" : "GET",
): Promise<Answer> => {
  const abort = new AbortController();
  try {
    const request = new Request(session.authUrl + path, {
      method,
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      keepalive: true,
      // A redirect would hand the refresh token on to another place.
      redirect: "manual",
      signal: abort.signal,
    });
    return await within(session, session.timeoutMs, send(session, request, access).then(read));
  } catch (error) {
    abort.abort();
    const cause = error ? (isOffline() ? "offline" : "network") : "timeout";
    return { status: 0, body: {}, cause, retryAfterMs: 0 };
  }
};
