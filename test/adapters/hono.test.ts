import type { RequestRules } from "../../src/adapters/http/token-from.ts";
import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { createAdaptorServer } from "@hono/node-server";
import { Hono } from "hono";
import { protect } from "../../src/adapters/hono.ts";
import { testProtect } from "./cookie-contract.ts";
import { setUp, type TestGuard, type Handle } from "./http-contract.ts";
import { bearer, sender, type Send } from "./http-client.ts";

async function listen(t: TestContext, app: Pick<Hono, "fetch">): Promise<Send> {
  const server = createAdaptorServer({ fetch: app.fetch }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return sender((server.address() as AddressInfo).port);
}

function inProcess(app: Pick<Hono, "request">): Send {
  return async ({ path = "/", headers = [], ...init } = {}) => {
    const sent = new Headers();
    for (const [name, value] of headers) sent.append(name, value);
    const answer = await app.request(path, { ...init, headers: sent });
    return {
      status: answer.status,
      headers: Object.fromEntries(answer.headers),
      body: await answer.text(),
    };
  };
}

function api(guard: TestGuard, chain: readonly RequestRules[], handle: Handle): Hono {
  const app = new Hono();
  for (const rules of chain.slice(0, -1)) app.use("/", protect(guard, rules));
  app.all("/", protect(guard, chain.at(-1)), (c) => new Response(handle(c.var.auth)));
  return app;
}

testProtect({
  name: "Hono on Node",
  protect,
  serve: async (t, guard, chain, handle) => await listen(t, api(guard, chain, handle)),
});

testProtect({
  name: "Hono in one process",
  protect,
  serve: async (_, guard, chain, handle) => inProcess(api(guard, chain, handle)),
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
  const send = await listen(t, app);
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
  const send = inProcess(app);
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
  await inProcess(app)({ headers: [bearer(provider.token({ tenant: "acme" }))] });
  assert.deepEqual(tenants, ["ACME"]);
});
