import { HoldfastError, isHoldfastError } from "../core/errors.ts";
import { invalidOption, readString } from "../core/options.ts";

/** `fetch` as far as it is used here; the platform's own by default. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response> | Response;

export interface FetchJsonOptions {
  /** Names the answer in errors: "the key set". */
  readonly what: string;
  readonly fetch: Fetch;
  /** In lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Sent by POST; without it the request is a GET. */
  readonly body?: string;
  readonly maxBytes: number;
  /** Its deadline, which is for the body's last byte, too. Whatever of it comes later is not read. */
  readonly signal: AbortSignal;
}

export interface JsonResponse {
  readonly status: number;
  readonly headers: Headers;
  /** What the body of a 200 says; `undefined` for any other status, whose body is not read. */
  readonly json: unknown;
}

/**
 * Asks for a JSON value. No redirects: whoever can answer for this URL is trusted, nobody else. Rejects with
 * `upstream_failed` for a 200 that is no JSON or too long, and with whatever `fetch` rejects with.
 */
export async function fetchJson(url: string, options: FetchJsonOptions): Promise<JsonResponse> {
  const { what, fetch, body, maxBytes, signal } = options;
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
    throw unusableResponse(what, "is not JSON");
  }
}

/** A body that is not read to its end is cancelled, also by a signal that `fetch` itself takes no notice of. */
async function readBody(
  what: string,
  { body }: Response,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const collect = new WritableStream<Uint8Array>({
    write(chunk) {
      length += chunk.byteLength;
      if (length > maxBytes) throw unusableResponse(what, `is longer than ${maxBytes} bytes`);
      chunks.push(chunk);
    },
  });
  await body?.pipeTo(collect, { signal });
  return Buffer.concat(chunks);
}

/** An answer that came and cannot be used. `why` completes "the key set …" and holds nothing of the answer. */
export function unusableResponse(what: string, why: string): HoldfastError {
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
  const url = URL.parse(readString(name, value));
  if (url === null || !isTrustworthy(url)) {
    throw invalidOption(name, "an https URL (or http to this machine) without credentials", value);
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
      throw invalidOption(`${name}["${header}"]`, "a header's name and what it can carry", value);
    }
  }
  return Object.fromEntries(checked);
}
