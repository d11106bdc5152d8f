import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { protect, type AuthenticatedRequest } from "../../src/adapters/node-http.ts";
import type { Decision } from "../../src/core/verdict.ts";
import type { Call, Rules } from "../../src/guard/types.ts";
import { adapterContract, over } from "./contract.ts";

type Authorize = (token: string, rules?: Rules & Call) => Promise<Decision>;

const valid: Decision = {
  status: "valid",
  claims: { sub: "alice" },
  subject: "alice",
  scopes: ["read"],
  expiresAt: 1,
  basis: "proof",
  from: "origin",
  degraded: null,
  revocationAgeMs: null,
};

async function serve(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function api(authorize: Authorize): RequestListener {
  return protect({ authorize }, { scopes: ["read"] }, (req, res) => res.end(`hello ${req.auth.subject}`));
}

const bearer = { headers: { authorization: "Bearer token" } };

test("a valid token reaches the handler, with the verdict on req.auth and the route's rules asked", async (t) => {
  const asked: unknown[] = [];
  const url = await serve(
    t,
    api(async (token, rules) => {
      asked.push(token, rules?.scopes);
      return await Promise.resolve(valid);
    }),
  );
  const response = await fetch(url, bearer);
  assert.equal(response.status, 200);
  assert.equal(await response.text(), "hello alice");
  assert.deepEqual(asked, ["token", ["read"]]);
});

const refused: [Decision, number][] = [
  [{ status: "invalid", reason: "revoked" }, 401],
  [{ status: "forbidden", missing: ["read"] }, 403],
  [{ status: "unavailable", cause: "revocations_stale", retryAfterMs: 1500 }, 503],
];
for (const [decision, status] of refused) {
  test(`a token that is ${decision.status} is answered ${status} and never reaches the handler`, async (t) => {
    const listener = protect({ authorize: async () => decision }, {}, () => assert.fail("reached"));
    const response = await fetch(await serve(t, listener), bearer);
    assert.equal(response.status, status);
    assert.equal(typeof ((await response.json()) as { error: string }).error, "string");
  });
}

test("without a token the guard is not asked", async (t) => {
  const url = await serve(
    t,
    api(() => assert.fail("asked")),
  );
  const response = await fetch(url);
  assert.equal(response.status, 401);
  assert.equal(response.headers.get("www-authenticate"), 'Bearer realm="api"');
});

test("two Authorization headers are 400, not the first one", async (t) => {
  const url = await serve(
    t,
    api(() => assert.fail("asked")),
  );
  const sent = request(url, { headers: ["Authorization", "Bearer a", "Authorization", "Bearer b"] }).end();
  const [response] = (await once(sent, "response")) as [{ statusCode: number; resume(): void }];
  response.resume();
  assert.equal(response.statusCode, 400);
});

test("law 1: a guard that throws or returns nothing awaited is 503 or its plain answer, never 401", async (t) => {
  const broken = await serve(
    t,
    api(() => {
      throw new Error("boom");
    }),
  );
  assert.equal((await fetch(broken, bearer)).status, 503);
  const plain = await serve(t, api((() => valid) as unknown as Authorize));
  assert.equal((await fetch(plain, bearer)).status, 200);
});

test("a client that goes away aborts the guard's work", async (t) => {
  const asked = Promise.withResolvers<AbortSignal | undefined>();
  const url = await serve(
    t,
    api(async (_, rules) => {
      asked.resolve(rules?.signal);
      return await new Promise<Decision>((_resolve, reject) => {
        rules?.signal?.addEventListener("abort", () => reject(rules.signal?.reason as Error));
      });
    }),
  );
  const client = request(url, bearer).on("error", () => {});
  client.end();
  const signal = await asked.promise;
  assert.ok(signal && !signal.aborted);
  const aborted = once(signal, "abort");
  client.destroy();
  await aborted;
});

test("a guard without authorize and a rule nobody knows are refused at creation", () => {
  assert.throws(() => protect({} as never, {}, () => {}), { code: "missing_method", message: /authorize/ });
  const guard = { authorize: async () => valid };
  assert.throws(() => protect(guard, { scope: ["x"] } as never, () => {}), { message: /"scope"/ });
  assert.throws(() => protect(guard, { scopes: "x" } as never, () => {}), { message: /scopes/ });
});

adapterContract({
  name: "node:http",
  protect: (guard, rules) => protect(guard, rules, () => {}),
  async serve(t, guard, chain, handle) {
    const handler: RequestListener = (req, res) => res.end(handle((req as AuthenticatedRequest).auth));
    const listener = chain.reduceRight((inner, rules) => protect(guard, rules, inner), handler);
    return over(Number(new URL(await serve(t, listener)).port));
  },
});
