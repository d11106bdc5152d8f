import assert from "node:assert/strict";
import { createServer, IncomingMessage, ServerResponse, type RequestListener } from "node:http";
import { Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { protect, type AuthenticatedRequest } from "../../src/adapters/node-http.ts";
import { testProtect } from "./cookie-contract.ts";
import { setUp } from "./http-contract.ts";
import { bearer, serving, type Send } from "./http-client.ts";

async function listen(t: TestContext, listener: RequestListener): Promise<Send> {
  return await serving(t, createServer(listener).listen(0, "127.0.0.1"));
}

testProtect({
  name: "node:http",
  protect: (guard, rules) => protect(guard, rules, () => {}),
  async serve(t, guard, chain, handle) {
    const handler: RequestListener = (req, res) => res.end(handle((req as AuthenticatedRequest).auth));
    return await listen(
      t,
      chain.reduceRight((inner, rules) => protect(guard, rules, inner), handler),
    );
  },
});

test("a decision leaves no listener on the response", async (t) => {
  const { provider, guard } = await setUp(t);
  const counts: number[] = [];
  const inner = protect(guard, {}, (_, res) => {
    counts.push(res.listenerCount("close"));
    res.end();
  });
  const send = await listen(t, (req, res) => {
    counts.push(res.listenerCount("close"));
    inner(req, res);
  });
  await send({ headers: [bearer(provider.token())] });
  assert.equal(counts[1], counts[0]);
});

test("reads the headers of a request without raw headers", async (t) => {
  const { provider, guard } = await setUp(t);
  const subject = async (authorization: string) => {
    const req = Object.assign(new IncomingMessage(new Socket()), { headers: { authorization } });
    const answered = Promise.withResolvers<string | number>();
    const res = new ServerResponse(req);
    res.end = () => (answered.resolve(res.statusCode), res);
    protect(guard, {}, ({ auth }) => answered.resolve(auth.subject))(req, res);
    return await answered.promise;
  };
  const token = provider.token({ sub: "alice" });
  assert.equal(await subject(`Bearer ${token}`), "alice");
  assert.equal(await subject(`Bearer ${token}, Bearer ${token}`), 400);
});
