import { TimedOut, within } from "./clock.ts";
import type { AuthClientOptions, ClientClock, PendingLogout, TroubleCause } from "./types.ts";

/** A longer `Retry-After` is cut to this. */
const MAX_RETRY_AFTER_MS = 3_600_000;

/** An answer of the service, or the lack of one. */
export interface Answer {
  /** 0 when the service did not answer. */
  readonly status: number;
  /** The JSON object of the body. `null` when the body is anything else. */
  readonly body: Readonly<Record<string, unknown>> | null;
  readonly headers: Headers | null;
  /** The cause of the trouble, unless the caller understands the answer. */
  readonly cause: TroubleCause;
  /** The time of the next attempt, as the service wishes it. 0 when it does not. */
  readonly retryAfterMs: number;
}

/** How a request differs from a usual one. */
interface RequestOptions {
  readonly body?: unknown;
  readonly method?: string;
  readonly bearer?: string;
  /** The request survives the page. */
  readonly keepalive?: boolean;
}

/** Sends requests to the auth service. */
export class Service {
  readonly #url: string;
  readonly #options: AuthClientOptions;
  readonly #clock: ClientClock;
  readonly #hasCookies: boolean;
  readonly #timeoutMs: number;

  constructor(url: string, options: AuthClientOptions, clock: ClientClock) {
    this.#url = url.replace(/\/$/, "");
    this.#options = options;
    this.#clock = clock;
    this.#hasCookies = options.mode === "cookie";
    this.#timeoutMs = options.timeoutMs ?? 10_000;
  }

  /** Sends a request. Never rejects. */
  async ask(
    path: string,
    { body, method = "POST", bearer, keepalive = false }: RequestOptions,
  ): Promise<Answer> {
    const abort = new AbortController();
    const headers: Record<string, string> = {};
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (this.#hasCookies) headers["X-Holdfast"] = "1";
    else if (bearer) headers["Authorization"] = `Bearer ${bearer}`;
    const init: RequestInit = { method, headers, keepalive, signal: abort.signal };
    // A redirect would hand the refresh token on to another place.
    Object.assign(init, { cache: "no-store", redirect: "manual" });
    if (this.#hasCookies) init.credentials = "include";
    if (body !== undefined) init.body = JSON.stringify(body);
    try {
      return await within(this.#clock, this.#timeoutMs, this.#receive(path, init));
    } catch (error) {
      abort.abort();
      const device = globalThis.navigator as Partial<Navigator> | undefined;
      const isOffline = device?.onLine === false;
      const cause = error instanceof TimedOut ? "timeout" : isOffline ? "offline" : "network";
      return { status: 0, body: null, headers: null, cause, retryAfterMs: 0 };
    }
  }

  /** Ends a session at the service. Resolves with whether the service has answered for good. */
  async endSession({ refresh, everywhere }: PendingLogout): Promise<boolean> {
    const body = this.#hasCookies ? undefined : { refresh_token: refresh };
    const request = { body, keepalive: true };
    if (everywhere) {
      const answer = await this.ask("/auth/logout-all", request);
      if (answer.status === 204) return true;
      // A spent token cannot end other sessions, but it can end its own.
      if (!isFinal(answer, [400, 401])) return false;
    }
    return isFinal(await this.ask("/auth/logout", request), [204, 400, 401]);
  }

  async #receive(path: string, init: RequestInit): Promise<Answer> {
    const { fetch = globalThis.fetch } = this.#options;
    const response = await fetch(this.#url + path, init);
    const { status, headers } = response;
    const body = parseObject(await response.text());
    const group = status === 429 ? "http_429" : status >= 500 ? "http_5xx" : "http_4xx";
    const cause = status < 400 ? "not_json" : group;
    // A date is left out (RFC 9110 §10.2.3), because the clock of the device may be wrong.
    const seconds = Number(headers.get("Retry-After")) || 0;
    const retryAfterMs = Math.min(Math.max(0, seconds * 1000), MAX_RETRY_AFTER_MS);
    return { status, body, headers, cause, retryAfterMs };
  }
}

/** The tokens in the answer to a refresh. With cookies, only a header tells their life. `null` for every other answer. */
export function refreshedBody({ status, body, headers }: Answer, hasCookies: boolean): Answer["body"] {
  if (!hasCookies) return status === 200 ? body : null;
  return status === 204 ? { expires_in: Number(headers?.get("Expires-In") ?? NaN) } : null;
}

/** The page of a proxy proves nothing, so an error must have the form of the service. */
function isFinal({ status, body }: Answer, statuses: readonly number[]): boolean {
  return statuses.includes(status) && (status === 204 || typeof body?.["error"] === "string");
}

function parseObject(text: string): Answer["body"] {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" ? (value as Answer["body"]) : null;
  } catch {
    return null;
  }
}
