import assert from "node:assert/strict";
import { setImmediate as nextTurn, setTimeout as pause } from "node:timers/promises";

/** The members of the service's token response that tests use. */
export interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly session_id: string;
}

/** POSTs JSON to the service. */
export async function post(
  base: string,
  path: string,
  body: unknown,
  token?: string,
  signal?: AbortSignal,
): Promise<Response> {
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (token !== undefined) headers["authorization"] = `Bearer ${token}`;
  return await fetch(base + path, {
    method: "POST",
    headers,
    body: JSON.stringify(body),
    ...(signal && { signal }),
  });
}

/** Logs in the bootstrap user. */
export async function login(base: string): Promise<Tokens> {
  const response = await post(base, "/auth/login", { username: "alice", password: "correct horse battery" });
  assert.equal(response.status, 200);
  return (await response.json()) as Tokens;
}

export async function refresh(base: string, refreshToken: string): Promise<Response> {
  return await post(base, "/auth/refresh", { refresh_token: refreshToken });
}

/** Refreshes, and fails the test when the service does not answer 200. */
export async function refreshOrFail(base: string, refreshToken: string): Promise<Tokens> {
  const response = await refresh(base, refreshToken);
  assert.equal(response.status, 200, `refresh answered ${response.status}`);
  return (await response.json()) as Tokens;
}

/** Returns the gateway's status for an access token. */
export async function verify(base: string, accessToken: string): Promise<number> {
  const response = await fetch(`${base}/verify`, { headers: { authorization: `Bearer ${accessToken}` } });
  await response.arrayBuffer();
  return response.status;
}

/**
 * Repeats `done` until it is true. Returns the milliseconds that took, or `Infinity` after the deadline, which covers an
 * attempt that never settles, too.
 */
export async function measureUntil(done: () => Promise<boolean>, deadlineMs: number): Promise<number> {
  const start = performance.now();
  const over = new AbortController();
  const repeat = async () => {
    while (!over.signal.aborted && !(await done())) await nextTurn();
    return performance.now() - start;
  };
  const deadline = pause(deadlineMs, Number.POSITIVE_INFINITY, { signal: over.signal });
  deadline.catch(() => {});
  try {
    return await Promise.race([repeat(), deadline]);
  } finally {
    over.abort();
  }
}
