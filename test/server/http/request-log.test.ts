import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test, type TestContext } from "node:test";
import type { LogFields } from "../../../src/server/log-fields.ts";
import { openLogger } from "../../../src/server/logs.ts";
import { startService } from "../../../src/server/serve.ts";
import { login, refresh, verify } from "../../support/auth-calls.ts";
import { waitUntil } from "../../support/deadline.ts";
import { temporarySettings } from "../temporary-settings.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";

/** A service that logs its requests, and the lines so far. */
async function setUp(t: TestContext, mode: string, more: Record<string, string> = {}) {
  const lines: LogFields[] = [];
  const log = openLogger("info", { write: (line) => void lines.push(JSON.parse(line) as LogFields) });
  const settings = await temporarySettings({ HOLDFAST_REQUEST_LOG: mode, ...more });
  const running = await startService(settings, log);
  t.after(running.stop);
  const requests = () => lines.filter((line) => line["event.name"] === "holdfast.http.request");
  const logged = async (count: number) => {
    await waitUntil(async () => requests().length >= count, `${count} logged requests`);
    return requests();
  };
  return { url: running.publicAddress, admin: running.adminAddress, requests, logged };
}

test("logs each request with its route, status, duration, client and trace", async (t) => {
  const { url, admin, logged } = await setUp(t, "all");
  const tokens = await login(url);
  await fetch(`${url}/auth/sessions/${tokens.session_id}?secret=in-the-query`, {
    method: "DELETE",
    headers: {
      authorization: `Bearer ${tokens.access_token}`,
      traceparent: `00-${TRACE}-b7ad6b7169203331-01`,
    },
  });
  await fetch(`${admin}/health`);
  const [first, second, third] = await logged(3);
  assert.equal(first?.body, "POST /auth/login 200");
  assert.equal(first["holdfast.listener"], "public");
  const { timestamp: _, "http.server.request.duration": seconds = -1, ...fields } = second ?? {};
  assert.ok(seconds > 0 && seconds < 60);
  assert.deepEqual(fields, {
    severity_text: "INFO",
    severity_number: 9,
    "event.name": "holdfast.http.request",
    trace_id: TRACE,
    "holdfast.listener": "public",
    "http.request.method": "DELETE",
    "http.route": "/auth/sessions/:id",
    "http.response.status_code": 204,
    "client.address": "127.0.0.1",
    body: "DELETE /auth/sessions/:id 204",
  });
  assert.equal(third?.["holdfast.listener"], "admin");
  assert.equal(third["http.route"], "/health");
});

test("law 5: logged requests contain no token, no path and no query of the client", async (t) => {
  const { url, logged } = await setUp(t, "all");
  const tokens = await login(url);
  await refresh(url, tokens.refresh_token);
  await verify(url, tokens.access_token);
  await fetch(`${url}/unknown/${tokens.refresh_token}?access_token=${tokens.access_token}`);
  const text = JSON.stringify(await logged(4));
  for (const secret of [tokens.access_token, tokens.refresh_token, tokens.session_id, "access_token="]) {
    assert.ok(!text.includes(secret));
  }
  assert.match(text, /"GET unknown route 404"/);
});

test("logs the address that a trusted proxy names, and that of any other peer", async (t) => {
  const trusting = await setUp(t, "all", { HOLDFAST_TRUSTED_PROXIES: "127.0.0.1" });
  const plain = await setUp(t, "all");
  const headers = { "X-Forwarded-For": "203.0.113.7" };
  for (const { url } of [trusting, plain]) await fetch(`${url}/health/live`, { headers });
  assert.equal((await trusting.logged(1))[0]?.["client.address"], "203.0.113.7");
  assert.equal((await plain.logged(1))[0]?.["client.address"], "127.0.0.1");
});

test("law 6: a body that is refused before its end leaves the service running, and its address is logged", async (t) => {
  const { url, admin, logged } = await setUp(t, "all");
  const body = JSON.stringify({ username: "alice", password: "x".repeat(100_000) });
  const headers = { "Content-Type": "application/json" };
  for (const path of [`${url}/auth/login`, `${admin}/api/login`]) {
    assert.equal((await fetch(path, { method: "POST", headers, body })).status, 413);
  }
  for (const line of await logged(2)) assert.equal(line["client.address"], "127.0.0.1", line.body);
  assert.equal((await fetch(`${url}/health/live`)).status, 200);
});

test("takes no trace from a traceparent that is malformed or repeated", async (t) => {
  const { url, logged } = await setUp(t, "all");
  const span = "b7ad6b7169203331";
  const bad = [
    `00-${TRACE}-${span}`,
    `00-${"0".repeat(32)}-${span}-01`,
    `00-${TRACE}-${"0".repeat(16)}-01`,
    `ff-${TRACE}-${span}-01`,
    `00-${TRACE.toUpperCase()}-${span}-01`,
    `00-${TRACE}-${span}-01, 00-${TRACE}-${span}-01`,
    "a secret",
  ];
  for (const traceparent of bad) await fetch(`${url}/health/live`, { headers: { traceparent } });
  const lines = await logged(bad.length);
  for (const [i, line] of lines.entries()) assert.equal(line.trace_id, undefined, bad[i]);
  await fetch(`${url}/health/live`, { headers: { traceparent: `01-${TRACE}-${span}-01-more` } });
  assert.equal((await logged(bad.length + 1)).at(-1)?.trace_id, TRACE, "a later version may append fields");
});

test("logs only failed requests with HOLDFAST_REQUEST_LOG=failed, and none by default", async (t) => {
  const failed = await setUp(t, "failed");
  const off = await setUp(t, "off");
  for (const { url } of [failed, off]) {
    await login(url);
    await fetch(`${url}/unknown`);
    // A client that goes before its answer: the body of the login never comes.
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    await once(socket, "connect");
    socket.write(
      "POST /auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{",
    );
    // The service has the head of the request when it answers a later one.
    await fetch(`${url}/health/live`);
    socket.destroy();
  }
  const [line, ...others] = await failed.logged(1);
  assert.deepEqual(others, []);
  assert.equal(line?.severity_text, "WARN");
  assert.equal(line.body, "POST /auth/login no answer");
  assert.equal(line["http.response.status_code"], undefined);
  assert.deepEqual(off.requests(), []);
});
