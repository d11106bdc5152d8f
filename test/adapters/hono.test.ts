import type { RequestRules } from "../../src/adapters/http/token-from.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { Hono } from "hono";
import { protect } from "../../src/adapters/hono.ts";
import { testProtect } from "./cookie-contract.ts";
import { setUp, type TestGuard, type Handle } from "./http-contract.ts";
import { bearer } from "./http-client.ts";
import { callWeb, serveWeb } from "./web-server.ts";

function api(guard: TestGuard, chain: readonly RequestRules[], handle: Handle): Hono {
  const app = new Hono();
  for (const rules of chain.slice(0, -1)) app.use("/", protect(guard, rules));
  app.all("/", protect(guard, chain.at(-1)), (c) => new Response(handle(c.var.auth)));
  return app;
}

testProtect({
  name: "Hono on Node",
  protect,
  serve: async (t, guard, chain, handle) => await serveWeb(t, api(guard, chain, handle).fetch),
});

testProtect({
  name: "Hono in one process",
  protect,
  serve: async (_, guard, chain, handle) => callWeb(api(guard, chain, handle).fetch),
});

test("law 10: a degraded decision is declared on responses, errors and 404", async (t) => {
  const { provider, guard } = await setUp(t, { asks: true });
  provider.fault("introspection", { status: 500 });
  const app = new Hono();
  app.use(protect(guard));
  app.get("/moved", () => Response.redirect("https://example.com/"));
  app.get("/error", () => {
    throw new Error("of the handler");
  });
  app.onError((error, c) => c.text(error.message, 500));
  const send = await serveWeb(t, app.fetch);
  const headers = [bearer(provider.token())];
  for (const [path, status] of [
    ["/moved", 302],
    ["/error", 500],
    ["/nowhere", 404],
  ] as const) {
    const answer = await send({ path, headers });
    assert.deepEqual([answer.status, answer.headers["x-auth-degraded"]], [status, "authority_unavailable"]);
  }
});

test("a refusal keeps the headers of earlier middleware, and later middleware does not run", async (t) => {
  const { guard } = await setUp(t);
  const app = new Hono();
  app.use(async (c, next) => {
    c.header("X-Request-Id", "7");
    await next();
  });
  app.use("/orders/*", protect(guard), async () => assert.fail("reached"));
  const orders = new Hono().get("/all", (c) => c.text("all"));
  app.route("/orders", orders);
  app.get("/open", (c) => c.text("open"));
  const send = callWeb(app.fetch);
  const refused = await send({ path: "/orders/all" });
  assert.deepEqual([refused.status, refused.headers["x-request-id"]], [401, "7"]);
  assert.equal((await send({ path: "/open" })).body, "open");
});

test("later middleware reads the verdict and its claims", async (t) => {
  const { provider, guard } = await setUp(t);
  const app = new Hono();
  const tenants: unknown[] = [];
  app.use(protect<{ tenant: string }>(guard as never), async (c, next) => {
    tenants.push(c.get("auth").claims.tenant.toUpperCase());
    await next();
  });
  await callWeb(app.fetch)({ headers: [bearer(provider.token({ tenant: "acme" }))] });
  assert.deepEqual(tenants, ["ACME"]);
});
