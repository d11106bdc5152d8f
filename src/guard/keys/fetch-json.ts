import type { Clock } from "../../core/clock.ts";
import { HoldfastError } from "../../core/errors.ts";
import { withDeadline } from "../../resilience/deadline.ts";

/** `fetch` as far as it is used here; the platform's own by default. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response> | Response;

export interface FetchJsonOptions {
  readonly fetch: Fetch;
  readonly headers: Readonly<Record<string, string>>;
  readonly clock: Clock;
  /** For everything, the body's last byte included. */
  readonly timeoutMs: number;
  readonly maxBytes: number;
  /** Ends it early. */
  readonly signal: AbortSignal;
}

/** Gets a JSON value. No redirects: whoever can answer for this URL is trusted, nobody else. */
export async function fetchJson(url: string, options: FetchJsonOptions): Promise<unknown> {
  const { fetch, headers, clock, timeoutMs, maxBytes } = options;
  const load = async (signal: AbortSignal) => {
    const response = await fetch(url, {
      headers: { accept: "application/json", ...headers },
      redirect: "manual",
      signal,
    });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw refused(`answered ${response.status}`);
    }
    const body = await readBody(response, maxBytes, signal);
    try {
      return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body)) as unknown;
    } catch {
      throw refused("is not JSON");
    }
  };
  return await withDeadline(clock, "the key set", timeoutMs, load, options.signal);
}

async function readBody(response: Response, maxBytes: number, signal: AbortSignal): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    signal.throwIfAborted();
    length += chunk.byteLength;
    // Leaving the loop cancels the stream.
    if (length > maxBytes) throw refused(`is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function refused(what: string): HoldfastError {
  return new HoldfastError("invalid_key", `the key set ${what}`);
}
