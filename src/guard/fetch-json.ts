import { noHosts, type AllowedHttp } from "./allow-http.ts";
import { HoldfastError, isHoldfastError } from "../core/errors.ts";
import { invalidValue } from "../core/option-values.ts";
import { invalidOption, readString } from "../core/options.ts";

/**
 * The part of `fetch` that a guard uses. Pass your own to go through a proxy, or to trust a private certificate authority.
 *
 * @example
 * ```ts
 * import { jwks, type Fetch } from "holdfast";
 *
 * const logged: Fetch = async (url, init) => {
 *   console.log("GET", url);
 *   return await fetch(url, init);
 * };
 * export const keys = jwks("https://id.example.com/.well-known/jwks.json", { fetch: logged });
 * ```
 */
export type Fetch = (url: string, init: RequestInit) => Promise<Response> | Response;

export interface FetchJsonOptions {
  /** The response's name in errors: "the key set". */
  readonly what: string;
  readonly fetch: Fetch;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Sent by POST; without it the request is a GET. */
  readonly body?: string;
  readonly maxBytes: number;
  /** Whether no cache of the platform may answer. Default false. */
  readonly bypassCaches?: boolean;
  /** Reads the body. Throws or rejects when it is not JSON. Default: `JSON.parse`, in one turn of the event loop. */
  readonly parse?: (bytes: Uint8Array) => Promise<unknown>;
  /** Aborts at the deadline, which covers the last byte of the body. */
  readonly signal: AbortSignal;
}

export interface JsonResponse {
  readonly status: number;
  readonly headers: Headers;
  /** The body of a 200, parsed. `undefined` for any other status: its body is not read. */
  readonly json: unknown;
}

/**
 * Fetches a JSON value. Redirects are not followed, because only the server at this URL is trusted. Rejects with
 * `upstream_failed` for a 200 that is not JSON or is too long, and with the errors of `fetch`.
 */
export async function fetchJson(url: string, options: FetchJsonOptions): Promise<JsonResponse> {
  const { what, fetch, body, maxBytes, bypassCaches = false, signal } = options;
  const response = await fetch(url, {
    ...(body !== undefined && { method: "POST", body }),
    headers: { accept: "application/json", ...options.headers },
    redirect: "manual",
    ...(bypassCaches && { cache: "no-store" }),
    signal,
  });
  requireWebResponse(what, response);
  const { status, headers } = response;
  if (status !== 200) {
    await response.body?.cancel();
    return { status, headers, json: undefined };
  }
  const bytes = await readBody(what, response, maxBytes, signal);
  try {
    const json = await (options.parse ?? parseAtOnce)(bytes);
    return { status, headers, json };
  } catch {
    throw unusableResponse(what, "is not JSON");
  }
}

async function parseAtOnce(bytes: Uint8Array): Promise<unknown> {
  const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  return await Promise.resolve(JSON.parse(text) as unknown);
}

/** The `fetch` of the platform, looked up at each request: a test or an agent may replace it after a guard was made. */
export const platformFetch: Fetch = async (url, init) => await globalThis.fetch(url, init);

/** Throws `upstream_failed` when a `fetch` of the caller resolves with something else than a web `Response`. */
function requireWebResponse(what: string, response: unknown): void {
  const { status, headers, body } = Object(response) as Partial<Record<keyof Response, unknown>>;
  const { getReader } = Object(body ?? {}) as { getReader?: unknown };
  const { get } = Object(headers ?? {}) as { get?: unknown };
  let missing: string | null = null;
  if (typeof status !== "number") missing = "a numeric status";
  else if (typeof get !== "function") missing = "headers with the method get";
  else if (body !== null && typeof getReader !== "function")
    missing = "a web stream as body (it lacks getReader)";
  if (missing !== null) throw unusableResponse(what, `came from a fetch whose response must have ${missing}`);
}

/** Reads the body, and cancels it when it is too long or `signal` aborts, even if `fetch` ignores the signal. */
export async function readBody(
  what: string,
  { body }: Response,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = body?.getReader();
  const cancel = () => void reader?.cancel(signal.reason).catch(() => undefined);
  signal.addEventListener("abort", cancel, { once: true });
  try {
    signal.throwIfAborted();
    for (let part = await reader?.read(); part?.done === false; part = await reader?.read()) {
      length += part.value.byteLength;
      if (length > maxBytes) throw unusableResponse(what, `is longer than ${maxBytes} bytes`);
      chunks.push(part.value);
    }
    // A cancelled stream ends as a complete one does.
    signal.throwIfAborted();
  } catch (error) {
    cancel();
    throw error;
  } finally {
    signal.removeEventListener("abort", cancel);
  }
  return Buffer.concat(chunks);
}

/** The error for a response that cannot be used. `why` completes "the key set …" and quotes nothing of the response. */
export function unusableResponse(what: string, why: string): HoldfastError {
  return new HoldfastError("upstream_failed", `${what} ${why}`);
}

const loopback = /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/;

/**
 * Whether a response from this URL can be trusted. On a network anyone can forge a response over plain HTTP, except on one
 * that the operator allows.
 */
export function isTrustworthy(url: URL, allowHttp: AllowedHttp = noHosts): boolean {
  const allowed = url.protocol === "http:" && (loopback.test(url.hostname) || allowHttp(url.hostname));
  return (url.protocol === "https:" || allowed) && url.username === "" && url.password === "";
}

/** Reads an https URL, or an http URL of this machine or of an allowed host, and normalizes it. Throws `invalid_option`. */
export function trustworthyUrl(name: string, value: unknown, allowHttp: AllowedHttp = noHosts): string {
  const url = URL.parse(readString(name, value));
  if (url === null || !isTrustworthy(url, allowHttp)) {
    const form = "an https URL (or http to this machine, or to a host of allowHttp) without credentials";
    throw invalidValue(name, form, value);
  }
  return url.href;
}

/**
 * Checks and copies a `headers` option. Names become lower case, so that a caller's `Authorization` cannot be joined with
 * the guard's own `authorization`. Throws `invalid_option`, which calls the option `name` and never holds a value.
 */
export function requestHeaders(name: string, headers: unknown = {}): Readonly<Record<string, string>> {
  if (typeof headers !== "object" || headers === null) throw invalidOption(name, "an object", headers);
  const checked = new Headers();
  for (const [header, value] of Object.entries(headers)) {
    try {
      checked.append(header, readString(`${name}["${header}"]`, value));
    } catch (error) {
      if (isHoldfastError(error)) throw error;
      throw invalidOption(
        `${name}["${header}"]`,
        "a valid header name with a value that HTTP can carry",
        value,
      );
    }
  }
  return Object.fromEntries(checked);
}
