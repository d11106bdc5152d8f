import type { ProcessContext } from "../src/testing/simulation/index.ts";

/** What a client sees of an answer. The status is 0 when none came. */
export interface Answer {
  readonly status: number;
  /** The JSON object of the body. Empty when there is none. */
  readonly body: Readonly<Record<string, unknown>>;
}

const TIMEOUT_MS = 3_000;

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
    const response = await fetch(url, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) });
    const text = await response.text();
    return { status: response.status, body: text === "" ? {} : (JSON.parse(text) as Answer["body"]) };
  } catch {
    return { status: 0, body: {} };
  }
}

/** Sends a request with a token to the API. Returns the status, and 0 when no answer came. */
export async function callApi({ fetch }: ProcessContext, url: string, token: string): Promise<number> {
  const init = { headers: { authorization: `Bearer ${token}` }, signal: AbortSignal.timeout(TIMEOUT_MS) };
  return await fetch(url, init).then(
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
  return await fetch(url, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) }).then(
    (response) => ({ status: response.status, socket: response.headers.get("x-socket") }),
    () => ({ status: 0, socket: null }),
  );
}
