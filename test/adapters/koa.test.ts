import assert from "node:assert/strict";
import { test } from "node:test";
import Koa from "koa";
import { protect, type ValidVerdict } from "../../src/adapters/koa.ts";
import { testProtect } from "./cookie-contract.ts";
import { setUp } from "./http-contract.ts";
import { bearer, serving } from "./http-client.ts";

testProtect({
  name: "Koa",
  protect,
  async serve(t, guard, chain, handle) {
    const app = new Koa<{ auth: ValidVerdict }>();
    app.on("error", () => {}); // Koa prints errors of handlers otherwise.
    for (const rules of chain) app.use(protect(guard, rules));
    app.use((context) => {
      context.body = handle(context.state.auth);
    });
    return await serving(t, app.listen(0, "127.0.0.1"));
  },
});

test("a refusal keeps the headers of earlier middleware, and later middleware does not run", async (t) => {
  const { provider, guard } = await setUp(t);
  const app = new Koa();
  app.use(async (context, next) => {
    context.set("X-Request-Id", "7");
    await next();
  });
  app.use(protect(guard, { scopes: ["write"] }));
  app.use(() => assert.fail("reached"));
  const send = await serving(t, app.listen(0, "127.0.0.1"));
  const refused = await send({ headers: [bearer(provider.token())] });
  assert.deepEqual([refused.status, refused.headers["x-request-id"]], [403, "7"]);
});
