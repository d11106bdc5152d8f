import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:http2";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import { fastify, type FastifyInstance } from "fastify";
import { holdfast, protect } from "../../src/adapters/fastify.ts";
import { testProtect } from "./cookie-contract.ts";
import { setUp } from "./http-contract.ts";
import { bearer, sender, type Send } from "./http-client.ts";

async function listen(t: TestContext, app: FastifyInstance): Promise<Send> {
  t.after(async () => await app.close());
  await app.listen({ port: 0, host: "127.0.0.1" });
  return sender((app.server.address() as AddressInfo).port);
}

testProtect({
  name: "Fastify",
  protect,
  async serve(t, guard, chain, handle) {
    const app = fastify();
    await app.register(holdfast, { guard });
    const onRequest = chain.map((rules) => app.protect(rules));
    app.all("/", { onRequest }, async (request) => handle(request.auth));
    return await listen(t, app);
  },
});

test("a hook protects the scope it is added to, and request.auth is null elsewhere", async (t) => {
  const { provider, guard } = await setUp(t);
  const app = fastify();
  await app.register(holdfast, { guard });
  await app.register(
    async (orders) => {
      orders.addHook("onRequest", orders.protect());
      orders.get("/", async ({ auth }) => auth.subject);
      orders.get("/all", { onRequest: protect(guard, { scopes: ["admin"] }) }, async () => "all");
    },
    { prefix: "/orders" },
  );
  app.get("/open", async ({ auth }) => ({ auth }));
  const send = await listen(t, app);
  const headers = [bearer(provider.token({ sub: "alice" }))];
  assert.equal((await send({ path: "/orders" })).status, 401);
  assert.equal((await send({ path: "/orders", headers })).body, "alice");
  assert.equal((await send({ path: "/orders/all", headers })).status, 403);
  assert.equal((await send({ path: "/open", headers })).body, '{"auth":null}');
});

test("decorates only the scope that registers the plugin", async () => {
  const app = fastify();
  await app.register(async (inner) => {
    await inner.register(holdfast, { guard: { authorize: async () => assert.fail("asked") } });
    assert.ok(inner.hasRequestDecorator("auth") && inner.hasDecorator("protect"));
  });
  assert.ok(!app.hasRequestDecorator("auth") && !app.hasDecorator("protect"));
  await app.close();
});

test("sends a refusal through reply: hooks see it, error handlers do not, and the body is not read", async (t) => {
  const { guard } = await setUp(t);
  const app = fastify();
  await app.register(holdfast, { guard });
  app.setErrorHandler(() => assert.fail("an error"));
  app.addHook("onSend", async (_, reply, payload) => {
    reply.header("X-Seen", `${reply.statusCode} ${String(payload)}`);
    return payload;
  });
  app.post("/", { onRequest: app.protect() }, async () => "reached");
  const send = await listen(t, app);
  const headers = [["Content-Type", "application/json"]] as const;
  const answer = await send({ method: "POST", headers, body: "{" });
  assert.equal(answer.status, 401);
  assert.equal(answer.headers["x-seen"], `401 ${answer.body}`);
});

test("Fastify's error handler receives the error of a route handler", async (t) => {
  const { provider, guard } = await setUp(t);
  const app = fastify();
  app.setErrorHandler(async (error: Error, _, reply) => await reply.code(500).send(error.message));
  app.get("/", { onRequest: protect(guard) }, async () => await Promise.reject(new Error("of the handler")));
  const send = await listen(t, app);
  const { status, body } = await send({ headers: [bearer(provider.token())] });
  assert.deepEqual([status, body], [500, "of the handler"]);
});

test("protects HTTP/2 routes", async (t) => {
  const { provider, guard } = await setUp(t);
  const app = fastify({ http2: true });
  await app.register(holdfast, { guard });
  app.get("/", { onRequest: app.protect() }, async ({ auth }) => auth.subject);
  await app.listen({ port: 0, host: "127.0.0.1" });
  const client = connect(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}`);
  t.after(async () => {
    client.destroy();
    await app.close();
  });
  const send = async (headers: Record<string, string>) => {
    const stream = client.request({ ":path": "/", ...headers });
    const [answer] = (await once(stream, "response")) as [Record<string, unknown>];
    return [answer[":status"], answer["www-authenticate"], await text(stream)];
  };
  const [status, challenge] = await send({});
  assert.deepEqual([status, challenge], [401, 'Bearer realm="api"']);
  const authorization = `Bearer ${provider.token({ sub: "alice" })}`;
  assert.deepEqual(await send({ authorization }), [200, undefined, "alice"]);
});

test("registration fails without a guard and for a second time", async () => {
  const guard = { authorize: async () => assert.fail("asked") };
  const refused = async (app: FastifyInstance, guardless?: {}) =>
    await assert.rejects(
      async () => await app.register(holdfast, (guardless ?? { guard }) as { guard: never }),
    );
  await refused(fastify(), {});
  const app = fastify();
  await app.register(holdfast, { guard });
  await refused(app);
  await app.close();
});
