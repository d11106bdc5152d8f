import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { fastify, type FastifyInstance } from "fastify";
import { holdfast, protect } from "../../src/adapters/fastify.ts";
import { adapterContract, over, type Send } from "./contract.ts";

async function listen(t: TestContext, app: FastifyInstance): Promise<Send> {
  t.after(async () => await app.close());
  await app.listen({ port: 0, host: "127.0.0.1" });
  return over((app.server.address() as AddressInfo).port);
}

adapterContract({
  name: "Fastify",
  protect,
  async serve(t, guard, chain, handle) {
    const app = fastify();
    await app.register(holdfast, { guard });
    const onRequest = chain.map((rules) => app.protect(rules));
    app.get("/", { onRequest }, async (request) => handle(request.auth));
    return await listen(t, app);
  },
});
