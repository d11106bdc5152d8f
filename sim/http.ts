import type { ProcessContext } from "../src/testing/simulation/index.ts";

/** What a client sees of an answer. The status is 0 when none came. */
export interface Answer {
  readonly status: number;
  /** The JSON object of the body. Empty when there is none. */
  readonly body: Readonly<Record<string, unknown>>;
}

const TIMEOUT_MS = 3_000;

/**
 * Does `work` with a signal that aborts after `ms`. The timer ends with the work. That of `AbortSignal.timeout` would go
 * on, and its end would be an event of the run.
 */
export async function withTimeout<T>(ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new Error("no answer came in time")), ms);
  try {
    return await work(controller.signal);
  } finally {
    clearTimeout(timer);
  }
}

/** Sends JSON, and gives up after three seconds. */
export async function post(
  { fetch }: ProcessContext,
  url: string,
  body: unknown,
  token?: string,
): Promise<Answer> {
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (token !== undefined) headers["authorization"] = `Bearer ${token}`;
  return await askForJson(fetch, url, { method: "POST", headers, body: JSON.stringify(body) });
}

/** Reads JSON with a token, and gives up after three seconds. */
export async function getJson({ fetch }: ProcessContext, url: string, token: string): Promise<Answer> {
  return await askForJson(fetch, url, { headers: { authorization: `Bearer ${token}` } });
}

async function askForJson(fetch: ProcessContext["fetch"], url: string, init: RequestInit): Promise<Answer> {
  try {
    const response = await withTimeout(TIMEOUT_MS, async (signal) => await fetch(url, { ...init, signal }));
    const text = await response.text();
    return { status: response.status, body: text === "" ? {} : (JSON.parse(text) as Answer["body"]) };
  } catch {
    return { status: 0, body: {} };
  }
}

/** Sends a request with a token to the API. Returns the status, and 0 when no answer came. */
export async function callApi({ fetch }: ProcessContext, url: string, token: string): Promise<number> {
  const headers = { authorization: `Bearer ${token}` };
  return await withTimeout(TIMEOUT_MS, async (signal) => await fetch(url, { headers, signal })).then(
    ({ status }) => status,
    () => 0,
  );
}

/** Asks for a WebSocket. `socket` names it when the server has accepted the handshake. */
export async function getSocket(
  { fetch }: ProcessContext,
  url: string,
  token: string | null,
): Promise<{ readonly status: number; readonly socket: string | null }> {
  const headers: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` };
  return await withTimeout(TIMEOUT_MS, async (signal) => await fetch(url, { headers, signal })).then(
    (response) => ({ status: response.status, socket: response.headers.get("x-socket") }),
    () => ({ status: 0, socket: null }),
  );
}
