import assert from "node:assert/strict";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { createCorsPolicy } from "../../../src/issuer/endpoints/cors.ts";
import { corsOfUnreadRequest } from "../../../src/server/http/cors.ts";
import { listen } from "../../../src/server/http/listen.ts";
import { startService } from "../../../src/server/serve.ts";
import { temporarySettings } from "../temporary-settings.ts";

const PAGE = "https://app.example.com";
const OTHER = "capacitor://localhost";

/** Sends raw bytes and returns the whole answer. */
async function send(address: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(address);
  const socket = connect(Number(port), hostname);
  socket.write(bytes);
  return await text(socket);
}

test("every answer of the public listener has CORS headers, and no answer of the admin listener has", async (t) => {
  const settings = { ...(await temporarySettings()), corsOrigins: [PAGE, OTHER] };
  const running = await startService(settings);
  t.after(running.stop);
  const { publicAddress, adminAddress } = running;
  for (const [path, init, status] of [
    ["/health/live", {}, 200],
    ["/health/live", { method: "POST" }, 405],
    ["/nowhere", {}, 404],
    ["/auth/sessions", {}, 401],
    ["/auth/sessions", { headers: { Authorization: `Bearer ${"x".repeat(40_000)}` } }, 431],
    ["/auth/login", { method: "POST" }, 415],
  ] as const) {
    const headers = { Origin: OTHER, ...("headers" in init && init.headers) };
    const response = await fetch(publicAddress + path, { ...init, headers });
    assert.equal(response.status, status, path);
    assert.equal(response.headers.get("access-control-allow-origin"), OTHER, path);
    assert.match(response.headers.get("vary") ?? "", /Origin/);
  }
  const foreign = await fetch(`${publicAddress}/nowhere`, { headers: { Origin: "https://evil.example" } });
  assert.equal(foreign.headers.get("access-control-allow-origin"), null);
  const admin = await fetch(`${adminAddress}/health`, { headers: { Origin: PAGE } });
  assert.equal(admin.headers.get("access-control-allow-origin"), null);

  const malformed = `GET /auth/sessions HTTP/1.1\r\nHost: a b/c\\\r\nOrigin: ${PAGE}\r\nConnection: close\r\n\r\n`;
  assert.match(await send(publicAddress, malformed), /access-control-allow-origin: https:\/\/app\.ex/i);
  const unreadable = "FOO / HTTP/1.1\r\nHost: a\r\n\r\n";
  assert.match(await send(publicAddress, unreadable), /access-control-allow-origin: \*\r\n/i);
  const verify = await fetch(`${publicAddress}/verify`, { headers: { Origin: PAGE } });
  assert.equal(verify.headers.get("access-control-allow-origin"), null);
});

test("a page can read the answer of a service that is starting, and its preflight passes", async (t) => {
  const listener = await listen("127.0.0.1", 0, "HOLDFAST_PORT", { cors: createCorsPolicy([PAGE]) });
  t.after(listener.stop);
  const early = await fetch(listener.address, { headers: { Origin: PAGE } });
  assert.equal(early.status, 503);
  assert.equal(early.headers.get("access-control-allow-origin"), PAGE);
  assert.match(early.headers.get("access-control-expose-headers") ?? "", /Retry-After/);
  const preflight = await fetch(`${listener.address}/auth/refresh`, {
    method: "OPTIONS",
    headers: { Origin: PAGE, "Access-Control-Request-Method": "POST" },
  });
  assert.deepEqual([preflight.status, preflight.headers.get("access-control-allow-origin")], [204, PAGE]);
});

test("the answer to a request that was not read names the origin of the packet when that is listed", () => {
  const policy = createCorsPolicy([PAGE, OTHER], [OTHER]);
  const packet = (origin: string) =>
    Object.assign(new Error("parse"), {
      rawPacket: Buffer.from(`GET / HTTP/1.1\r\nORIGIN:\t${origin} \r\n`),
    });
  assert.equal(corsOfUnreadRequest(policy, packet(PAGE))["Access-Control-Allow-Origin"], PAGE);
  assert.equal(corsOfUnreadRequest(policy, packet(OTHER))["Access-Control-Allow-Credentials"], "true");
  assert.deepEqual(corsOfUnreadRequest(policy, packet("https://evil.example")), { Vary: "Origin" });
  const silent = new Error("timeout");
  assert.equal(corsOfUnreadRequest(policy, silent)["Access-Control-Allow-Origin"], "*");
  assert.equal(corsOfUnreadRequest(createCorsPolicy([PAGE]), silent)["Access-Control-Allow-Origin"], PAGE);
  assert.deepEqual(corsOfUnreadRequest(createCorsPolicy([]), silent), {});
});

test("HOLDFAST_COOKIES allows credentials, and a login of the service sets cookies", async (t) => {
  const running = await startService(await temporarySettings({ HOLDFAST_COOKIES: PAGE }));
  t.after(running.stop);
  const headers = { Origin: PAGE, "X-Holdfast": "1", "Content-Type": "application/json" };
  const body = JSON.stringify({ username: "alice", password: "correct horse battery" });
  const post = async (path: string, cookie = "") =>
    await fetch(running.publicAddress + path, {
      method: "POST",
      headers: { ...headers, Cookie: cookie },
      body: path === "/auth/login" ? body : null,
    });
  const login = await post("/auth/login");
  assert.equal(login.status, 200);
  assert.equal(login.headers.get("access-control-allow-credentials"), "true");
  const cookie = login.headers
    .getSetCookie()
    .map((line) => line.split(";")[0])
    .join("; ");
  const refreshed = await post("/auth/refresh", cookie);
  assert.deepEqual([refreshed.status, refreshed.headers.get("expires-in")], [204, "600"]);
  const next = refreshed.headers
    .getSetCookie()
    .map((line) => line.split(";")[0])
    .join("; ");
  assert.equal((await post("/auth/logout", next)).status, 204);
  assert.equal((await post("/auth/refresh", next)).status, 400);
  await assert.rejects(temporarySettings({ HOLDFAST_COOKIES: PAGE, HOLDFAST_URL: "http://id.example.com" }), {
    message: /HOLDFAST_COOKIES needs HOLDFAST_URL to be an https URL/,
  });
});
