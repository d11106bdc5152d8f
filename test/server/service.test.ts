import assert from "node:assert/strict";
import { readFile, stat } from "node:fs/promises";
import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";
import { test, type TestContext } from "node:test";
import { HoldfastError } from "../../src/core/errors.ts";
import { composeService } from "../../src/server/service.ts";
import { localFiles, openLocalStore } from "../../src/server/store/local-store.ts";
import { startService, type RunningService } from "../../src/server/serve.ts";
import { login, post, verify } from "../support/auth-calls.ts";
import { wrapStore } from "../issuer/stores.ts";
import { temporarySettings } from "./temporary-settings.ts";

async function start(t: TestContext, more: Record<string, string> = {}): Promise<RunningService> {
  const running = await startService(await temporarySettings(more));
  t.after(running.stop);
  return running;
}

async function get(url: string, headers: Record<string, string>): Promise<{ status: number; body: string }> {
  const [response] = (await once(request(url, { headers }).end(), "response")) as [IncomingMessage];
  return { status: response.statusCode ?? 0, body: (await response.toArray()).join("") };
}

test("a composition that cannot read its keys closes the store and rejects with the reason", async () => {
  const settings = await temporarySettings();
  const local = await openLocalStore(settings.dataDir, { create: true, secret: undefined });
  const failing = wrapStore(local.store, async (name, call) => {
    if (name === "keys.list") throw new HoldfastError("store_unavailable", "the disk failed");
    return await call();
  });
  const identity = { url: "https://id.example", audience: "https://api.example" };
  await assert.rejects(composeService({ ...local, store: failing }, settings, identity), {
    code: "store_unavailable",
    message: "the disk failed",
  });
  await assert.rejects(local.store.now(), { code: "closed" });
});

test("law 3: a token of the service passes /verify, and is refused immediately after logout", async (t) => {
  const { publicAddress } = await start(t);
  const tokens = await login(publicAddress);
  const headers = { authorization: `Bearer ${tokens.access_token}` };
  const response = await fetch(`${publicAddress}/verify/any/path`, { method: "POST", headers, body: "x" });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("x-auth-session"), tokens.session_id);
  assert.equal(response.headers.get("x-auth-scopes"), "holdfast%3Aadmin");
  const logout = await post(publicAddress, "/auth/logout", { refresh_token: tokens.refresh_token });
  assert.equal(logout.status, 204);
  assert.equal(await verify(publicAddress, tokens.access_token), 401);
  assert.equal((await fetch(`${publicAddress}/verify`)).status, 401);
});

test("the live probe answers always, and the ready probe with the status of every component", async (t) => {
  const { publicAddress, adminAddress } = await start(t);
  assert.equal((await fetch(`${publicAddress}/health/live`)).status, 200);
  const ready = await fetch(`${publicAddress}/health/ready`);
  assert.equal(ready.status, 200);
  assert.deepEqual(await ready.json(), {
    status: "ok",
    components: { store: "ok", keys: "ok", revocations: "ok", guard: "ok", clock: "ok" },
  });
  assert.equal((await fetch(`${adminAddress}/health`)).status, 200);
  assert.equal((await fetch(`${adminAddress}/cache/health`)).status, 200);
});

test("a client gets the scopes of HOLDFAST_CLIENT_SCOPES", async (t) => {
  const clients = {
    HOLDFAST_CLIENTS: "api:0123456789abcdef",
    HOLDFAST_CLIENT_SCOPES: "api=orders:read orders:write",
  };
  const { publicAddress } = await start(t, clients);
  const response = await fetch(`${publicAddress}/oauth/token`, {
    method: "POST",
    headers: { authorization: `Basic ${btoa("api:0123456789abcdef")}` },
    body: new URLSearchParams({ grant_type: "client_credentials", scope: "orders:read" }),
  });
  const { access_token: token, scope } = (await response.json()) as Record<string, string>;
  assert.equal(scope, "orders:read");
  const passed = await fetch(`${publicAddress}/verify`, { headers: { authorization: `Bearer ${token}` } });
  assert.equal(passed.headers.get("x-auth-scopes"), "orders%3Aread");
});

test("a service with a new identity prints the previous one, whose tokens it refuses", async (t) => {
  const settings = await temporarySettings({ HOLDFAST_URL: "https://old.example" });
  const first = await startService(settings);
  assert.doesNotMatch(first.banner, /before/);
  await first.stop();
  const second = await startService({ ...settings, url: "https://new.example" });
  t.after(second.stop);
  assert.match(second.banner, /served as https:\/\/old\.example .*before/);
});

test("the admin listener answers only to its own host names", async (t) => {
  const { adminAddress } = await start(t);
  const { port } = new URL(adminAddress);
  for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `LOCALHOST:${port}`, `[::1]:${port}`]) {
    assert.equal((await get(adminAddress, { host })).status, 200, host);
  }
  for (const host of [
    "evil.example",
    `evil.example:${port}`,
    "localhost",
    "localhost:1",
    `127.0.0.2:${port}`,
  ]) {
    for (const path of ["/", "/health", "/cache/health"]) {
      assert.equal((await get(adminAddress + path, { host })).status, 421, host + path);
    }
  }
  // The end of a tunnel may have another port.
  const { body } = await get(adminAddress, { host: "localhost:1" });
  assert.match(
    body,
    new RegExp(`must be localhost:${port} or 127\\.0\\.0\\.1:${port}\\. A tunnel must keep`),
  );
});

test("the admin listener issues no tokens, and the public listener has no status page", async (t) => {
  const { publicAddress, adminAddress } = await start(t);
  const body = { username: "alice", password: "correct horse battery" };
  assert.equal((await post(adminAddress, "/auth/login", body)).status, 404);
  assert.equal((await fetch(publicAddress)).status, 404);
  assert.equal((await fetch(`${publicAddress}/health`)).status, 404);
});

test("a first start without a configured user adds admin, with its password in a private file", async (t) => {
  const settings = { ...(await temporarySettings()), bootstrapUser: undefined };
  const running = await startService(settings);
  const { password: file } = localFiles(settings.dataDir);
  assert.ok(running.banner.includes(file));
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  const password = (await readFile(file, "utf8")).trim();
  assert.ok(!running.banner.includes(password));
  const answer = await post(running.publicAddress, "/auth/login", { username: "admin", password });
  assert.equal(answer.status, 200);
  await running.stop();
  const again = await startService(settings);
  t.after(again.stop);
  assert.ok(!again.banner.includes(file), "a later start makes no user");
});

test("the start prints the store with its path, whether the store is new, and both addresses", async (t) => {
  const settings = await temporarySettings();
  const first = await startService(settings);
  assert.match(first.banner, /^holdfast \d+\.\d+\.\d+, new store: sqlite /);
  assert.ok(first.banner.split("\n", 1)[0]?.endsWith(localFiles(settings.dataDir).data));
  await first.stop();
  const again = await startService(settings);
  t.after(again.stop);
  const { banner, publicAddress, adminAddress } = again;
  assert.match(banner, /^holdfast \d+\.\d+\.\d+, store: sqlite /);
  assert.ok(banner.includes(publicAddress) && banner.includes(adminAddress));
});

test("rejects an occupied admin port by name, closes everything and creates no data", async (t) => {
  const { adminAddress } = await start(t);
  const settings = await temporarySettings({ HOLDFAST_ADMIN_PORT: new URL(adminAddress).port });
  await assert.rejects(startService(settings), { message: /in use; choose another HOLDFAST_ADMIN_PORT/ });
  await assert.rejects(stat(settings.dataDir), { code: "ENOENT" });
});

test("the source of a login is the peer, or behind a trusted proxy the forwarded address", async (t) => {
  for (const [trusted, source] of [
    ["192.0.2.1", "127.0.0.1"],
    ["127.0.0.1", "203.0.113.9"],
  ] as const) {
    const { publicAddress, adminAddress } = await start(t, { HOLDFAST_TRUSTED_PROXIES: trusted });
    await fetch(`${publicAddress}/auth/login`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-forwarded-for": "203.0.113.9" },
      body: JSON.stringify({ username: "alice", password: "correct horse battery" }),
    });
    const page = await (await fetch(`${adminAddress}/?plain`)).text();
    assert.ok(page.includes(`<td>${source}</td>`), source);
  }
});
