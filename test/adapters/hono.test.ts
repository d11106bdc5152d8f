import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { createAdaptorServer } from "@hono/node-server";
import { Hono } from "hono";
import { protect } from "../../src/adapters/hono.ts";
import { adapterContract, over, type Asked, type Handle, type Send } from "./contract.ts";
import type { Rules } from "../../src/guard/types.ts";

async function listen(t: TestContext, app: Pick<Hono, "fetch">): Promise<Send> {
  const server = createAdaptorServer({ fetch: app.fetch }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return over((server.address() as AddressInfo).port);
}

function inProcess(app: Pick<Hono, "request">): Send {
  return async ({ headers = [], ...init } = {}) => {
    const sent = new Headers();
    for (const [name, value] of headers) sent.append(name, value);
    const answer = await app.request("/", { ...init, headers: sent });
    return {
      status: answer.status,
      headers: Object.fromEntries(answer.headers),
      body: await answer.text(),
    };
  };
}

function api(guard: Asked, chain: readonly Rules[], handle: Handle): Hono {
  const app = new Hono();
  for (const rules of chain.slice(0, -1)) app.use("/", protect(guard, rules));
  app.get("/", protect(guard, chain.at(-1)), (c) => new Response(handle(c.var.auth)));
  return app;
}

adapterContract({
  name: "Hono on Node",
  protect,
  serve: async (t, guard, chain, handle) => await listen(t, api(guard, chain, handle)),
});

adapterContract({
  name: "Hono in one process",
  protect,
  serve: async (_, guard, chain, handle) => inProcess(api(guard, chain, handle)),
});
