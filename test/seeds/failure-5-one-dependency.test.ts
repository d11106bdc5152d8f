import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, beforeEach, describe, test } from "node:test";
import { createGuard, introspection, jwks, type DegradedMode, type Guard, type Verdict } from "holdfast";
import { cacheHealthCheck } from "holdfast/cache";
import { memoryStore } from "holdfast/memory";
import { protect } from "holdfast/node-http";
import { createFaultProxy, createProvider, type Provider } from "holdfast/testing";
import { measureUntil } from "../support/auth-calls.ts";

/*
 * The outage: the auth service was unreachable, nothing was cached, and its health check still passed. Users were told
 * "invalid or expired token" and sent to the login of the service that was down. The tests use real connections between a
 * provider, a proxy that breaks them, an API and its users.
 */
describe("failure 5: one dependency takes everything down", () => {
  const audience = "https://api.example";
  let provider: Provider;
  let proxy: Awaited<ReturnType<typeof createFaultProxy>>;
  let api: Api;

  before(async () => {
    provider = await createProvider({ audience });
    await provider.listen();
    proxy = await createFaultProxy({ target: provider.issuer });
  });
  after(async () => {
    await proxy.close();
    await provider.close();
  });
  beforeEach(() => proxy.set({ kind: "pass" }));

  const isHealthy = async () => (await api.health()).status === "ok";
  const isDegraded = async () => (await api.health()).status === "degraded";
  const through = (endpoint: "jwks" | "introspection") =>
    provider.url(endpoint).replace(provider.issuer, proxy.url);

  async function startApi(t: { after: (fn: () => Promise<void>) => void }, mode: DegradedMode): Promise<Api> {
    const { revocations } = memoryStore();
    const { clientId, clientSecret } = provider;
    const guard = createGuard({
      issuer: provider.issuer,
      audience,
      keys: jwks(through("jwks")),
      authority: introspection({ url: through("introspection"), clientId, clientSecret, probeMs: 1_000 }),
      revocations,
      degraded: mode,
    });
    const started = await listen(guard);
    t.after(async () => {
      await guard.close();
      await started.server[Symbol.asyncDispose]();
    });
    return {
      ...started,
      guard,
      endSession: async (id) => {
        const { issuer } = provider;
        await revocations.append({ kind: "session", id, issuer, until: Date.now() + 3_600_000 });
      },
    };
  }

  for (const kind of ["refuse", "black-hole", "slow-loris"] as const) {
    test(`law 1: ${kind} with an empty cache: no token is called invalid, degraded mode is declared, and it recovers`, async (t) => {
      api = await startApi(t, "local");
      await api.guard.ready();
      assert.ok((await measureUntil(isHealthy, 20_000)) < 20_000);
      const users = Array.from({ length: 60 }, (_, i) => provider.token({ sub: `user-${i}`, sid: `s-${i}` }));
      const [ended = "", logout = ""] = users;

      proxy.set({ kind });
      provider.revoke(ended);
      for (const answer of await Promise.all(users.map(async (token) => await api.get(token)))) {
        assert.deepEqual(answer, { status: 200, degraded: "authority_unavailable", retryAfter: null });
      }
      assert.equal(
        (await measureUntil(async () => (await api.health()).status === "degraded", 20_000)) < 20_000,
        true,
      );
      const strict = await api.get(users[5] ?? "", "/transfer");
      assert.deepEqual([strict.status, strict.degraded], [503, null], "a route that can refuse it");
      assert.ok(Number(strict.retryAfter) >= 1);

      // The guard still refuses what it can verify itself.
      await api.endSession("s-1");
      assert.equal((await api.get(logout)).status, 401, "revoked in the log");
      assert.equal((await api.get(`${users[2]}x`)).status, 401, "forged");
      const expired = provider.token({ exp: Math.floor(Date.now() / 1000) - 60 });
      assert.equal((await api.get(expired)).status, 401, "expired");
      assert.equal((await api.get(ended)).status, 200, "only the provider knows: the price of `local`");

      proxy.set({ kind: "pass" });
      assert.ok((await measureUntil(isHealthy, 40_000)) < 40_000);
      assert.equal((await api.get(ended)).status, 401, "asked about again");
      for (const token of users.slice(2)) {
        assert.deepEqual(await api.get(token), { status: 200, degraded: null, retryAfter: null });
      }
    });
  }

  for (const mode of ["deny", "cached", "local"] as const) {
    test(`law 1: an API that starts in the outage without keys or answers gives 503 under ${mode}, never 401`, async (t) => {
      proxy.set({ kind: "refuse" });
      api = await startApi(t, mode);
      const token = provider.token();
      for (let i = 0; i < 20; i++) {
        const { status, retryAfter } = await api.get(token);
        assert.equal(status, 503);
        assert.ok(Number(retryAfter) >= 1);
      }
      assert.notEqual((await api.health()).status, "ok");
      proxy.set({ kind: "pass" });
      assert.ok((await measureUntil(async () => (await api.get(token)).status === 200, 60_000)) < 60_000);
    });
  }

  for (const [what, respond] of [
    ["answers pings but no questions", () => Response.json({ status: "UP" })],
    ["says yes to everything", () => Response.json({ active: true })],
    ["has lost its own database", () => new Response("", { status: 500 })],
  ] as const) {
    test(`the health check validates a token: it notices an authority that ${what} before a user does`, async (t) => {
      api = await startApi(t, "local");
      await api.guard.ready();
      provider.fault("introspection", { respond });
      t.after(() => provider.restore());
      assert.equal((await fetch(`${proxy.url}/.well-known/openid-configuration`)).status, 200, "it is up");
      assert.ok((await measureUntil(isDegraded, 10_000)) < 10_000);
    });
  }
});

interface Answer {
  readonly status: number;
  readonly degraded: string | null;
  readonly retryAfter: string | null;
}

interface Api {
  readonly guard: Guard;
  readonly server: Server;
  readonly get: (token: string, path?: string) => Promise<Answer>;
  readonly health: () => Promise<{ status: string }>;
  readonly endSession: (id: string) => Promise<void>;
}

/** Starts an API with orders, a route that refuses degraded answers, and health. */
async function listen(guard: Guard): Promise<Pick<Api, "server" | "get" | "health">> {
  const greet = (
    req: { auth: Extract<Verdict, { status: "valid" }> },
    res: { end: (text: string) => unknown },
  ) => res.end(`Hello ${req.auth.subject}`);
  const orders = protect(guard, {}, greet);
  const transfer = protect(guard, { degraded: "deny" }, greet);
  const server = createServer((req, res) => {
    if (req.url === "/health") {
      void (async () => res.end(JSON.stringify(await cacheHealthCheck(guard))))();
    } else if (req.url === "/transfer") transfer(req, res);
    else orders(req, res);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    server,
    get: async (token, path = "/orders") => {
      const response = await fetch(base + path, { headers: { authorization: `Bearer ${token}` } });
      await response.arrayBuffer();
      const { status, headers } = response;
      return { status, degraded: headers.get("x-auth-degraded"), retryAfter: headers.get("retry-after") };
    },
    health: async () => (await (await fetch(`${base}/health`)).json()) as { status: string },
  };
}
