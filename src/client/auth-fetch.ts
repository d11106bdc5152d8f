import type { Origins } from "./origins.ts";
import type { Session } from "./session.ts";
import type { AuthClientOptions, AuthRecord } from "./types.ts";

/** After a new token was rejected too, no other token is fetched because of a rejection for this time. */
const REJECTED_PAUSE_MS = 30_000;

const safeMethods = new Set(["GET", "HEAD"]);

/** Sends requests with the access token. */
export class AuthFetch {
  readonly #session: Session;
  readonly #origins: Origins;
  readonly #options: AuthClientOptions;
  /** The monotonic time before which a rejection does not cause a refresh. */
  #pausedUntil = -Infinity;

  constructor(session: Session, origins: Origins, options: AuthClientOptions) {
    this.#session = session;
    this.#origins = origins;
    this.#options = options;
  }

  async fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
    const { fetch = globalThis.fetch } = this.#options;
    const url = input instanceof Request ? input.url : new URL(input, globalThis.location?.href).href;
    const headers = new Headers(init?.headers ?? (input instanceof Request ? input.headers : undefined));
    if (!this.#origins.has(url) || headers.has("Authorization")) return await fetch(input, init);
    const record = await this.#session.accessToken();
    const isStream = init?.body instanceof ReadableStream;
    const source = input instanceof Request && !init?.body ? input.clone() : input;
    const response = await fetch(this.#withToken(input, init, headers, record));
    if (response.status !== 401 || isStream) return response;
    const next = await this.#replace(record);
    if (next === null) return response;
    const second = await fetch(this.#withToken(source, init, headers, next));
    if (second.status === 401) this.#pausedUntil = this.#session.parts.clock.monotonic() + REJECTED_PAUSE_MS;
    return second;
  }

  #withToken(
    input: RequestInfo | URL,
    init: RequestInit | undefined,
    headers: Headers,
    { access }: AuthRecord,
  ): Request {
    const { hasCookies } = this.#session.parts;
    if (!hasCookies) headers.set("Authorization", `Bearer ${access}`);
    const request = new Request(input, {
      ...init,
      headers,
      ...(hasCookies && { credentials: "include" as const }),
    });
    // The service takes cookies of an unsafe request only with this header, which no foreign page can send.
    if (hasCookies && !safeMethods.has(request.method)) request.headers.set("X-Holdfast", "1");
    return request;
  }

  /** Returns a record with another token than the rejected one. `null` when the rejected token cannot be replaced. */
  async #replace(rejected: AuthRecord): Promise<AuthRecord | null> {
    const { clock } = this.#session.parts;
    const stored = await this.#session.reread();
    const isPaused = clock.monotonic() < this.#pausedUntil;
    if (isPaused && stored?.n === rejected.n) return null;
    return await this.#session.refresh(rejected).catch(() => null);
  }
}
