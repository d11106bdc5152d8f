import type { Clock } from "../core/clock.ts";
import { HoldfastError } from "../core/errors.ts";
import { invalidOption, text } from "../core/options.ts";
import { withDeadline } from "../resilience/deadline.ts";

/** `fetch` as far as it is used here; the platform's own by default. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response> | Response;

export interface FetchJsonOptions {
  /** Names the answer in errors: "the key set". */
  readonly what: string;
  readonly fetch: Fetch;
  readonly headers: Readonly<Record<string, string>>;
  /** Sent by POST; without it the request is a GET. */
  readonly body?: string;
  readonly clock: Clock;
  /** For everything, the body's last byte included. */
  readonly timeoutMs: number;
  readonly maxBytes: number;
  /** Ends it early. */
  readonly signal: AbortSignal;
}

export interface JsonAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** What the body of a 200 says; `undefined` for any other status, whose body is not read. */
  readonly json: unknown;
}

/**
 * Asks for a JSON value. No redirects: whoever can answer for this URL is trusted, nobody else. Rejects with
 * `timeout`, with `upstream_failed` for a 200 that is no JSON or too long, and with whatever `fetch` rejects with.
 */
export async function fetchJson(url: string, options: FetchJsonOptions): Promise<JsonAnswer> {
  const { what, fetch, body, clock, timeoutMs, maxBytes } = options;
  const load = async (signal: AbortSignal) => {
    const response = await fetch(url, {
      ...(body !== undefined && { method: "POST", body }),
      headers: { accept: "application/json", ...options.headers },
      redirect: "manual",
      signal,
    });
    const { status, headers } = response;
    if (status !== 200) {
      await response.body?.cancel();
      return { status, headers, json: undefined };
    }
    const bytes = await readBody(what, response, maxBytes, signal);
    try {
      const json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as unknown;
      return { status, headers, json };
    } catch {
      throw unusable(what, "is not JSON");
    }
  };
  return await withDeadline(clock, what, timeoutMs, load, options.signal);
}

async function readBody(
  what: string,
  response: Response,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    signal.throwIfAborted();
    length += chunk.byteLength;
    // Leaving the loop cancels the stream.
    if (length > maxBytes) throw unusable(what, `is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** An answer that came and cannot be used. `why` completes "the key set …" and holds nothing of the answer. */
export function unusable(what: string, why: string): HoldfastError {
  return new HoldfastError("upstream_failed", `${what} ${why}`);
}

const loopback = /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/;

/** Whether what comes from there can be believed: in plain text over a network anybody may have said it. */
export function isTrustworthy(url: URL): boolean {
  const local = url.protocol === "http:" && loopback.test(url.hostname);
  return (url.protocol === "https:" || local) && url.username === "" && url.password === "";
}

/** An https URL, or http on this machine, normalized. Throws `invalid_option`. */
export function trustworthyUrl(name: string, value: unknown): string {
  const url = URL.parse(text(name, value));
  if (url === null || !isTrustworthy(url)) {
    throw invalidOption(name, "an https URL (or http to this machine) without credentials", value);
  }
  return url.href;
}
