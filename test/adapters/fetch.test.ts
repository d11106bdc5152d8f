import assert from "node:assert/strict";
import { test } from "node:test";
import { authenticate, protect, type RequestRules, type ValidVerdict } from "../../src/adapters/fetch.ts";
import { testProtect } from "./cookie-contract.ts";
import { assertRefused, setUp, type Handle, type TestGuard } from "./http-contract.ts";
import { bearer } from "./http-client.ts";
import { callWeb, serveWeb, type WebHandler } from "./web-server.ts";

function api(guard: TestGuard, chain: readonly RequestRules[], handle: Handle): WebHandler {
  const inner = (_: Request, auth: ValidVerdict) => new Response(handle(auth));
  return chain.reduceRight<(request: Request, auth: ValidVerdict) => Response | Promise<Response>>(
    (next, rules) => {
      const handler = protect(guard, rules, next);
      return async (request) => await handler(request);
    },
    inner,
  ) as WebHandler;
}

const ignoreResponse = () => new Response();

testProtect({
  name: "web requests on Node",
  protect: (guard, rules) => protect(guard, rules, ignoreResponse),
  serve: async (t, guard, chain, handle) => await serveWeb(t, api(guard, chain, handle)),
});

testProtect({
  name: "web requests in one process",
  protect: (guard, rules) => protect(guard, rules, ignoreResponse),
  serve: async (_, guard, chain, handle) => callWeb(api(guard, chain, handle)),
});

test("law 10: a degraded decision is declared on redirects, and on responses of other servers", async (t) => {
  const { provider, guard } = await setUp(t, { asks: true });
  provider.fault("introspection", { status: 500 });
  const foreign = await fetch("data:text/plain,from%20afar");
  assert.throws(() => foreign.headers.set("a", "b"), TypeError);
  for (const [response, status, body] of [
    [Response.redirect("https://example.com/"), 302, ""],
    [foreign, 200, "from afar"],
    [new Response(null, { status: 204 }), 204, ""],
  ] as const) {
    const answer = await callWeb(protect(guard, {}, () => response))({ headers: [bearer(provider.token())] });
    assert.deepEqual([answer.status, answer.body], [status, body]);
    assert.equal(answer.headers["x-auth-degraded"], "authority_unavailable");
  }
});

test("a response that cannot have headers, such as an upgrade, is passed on", async (t) => {
  const { provider, guard } = await setUp(t, { asks: true });
  provider.fault("introspection", { status: 500 });
  const upgrade = Response.error(); // No other response without a status can be made on Node.
  const handler = protect(guard, {}, () => upgrade);
  const [name, value] = bearer(provider.token());
  assert.equal(await handler(new Request("http://api/", { headers: { [name]: value } })), upgrade);
});

test("the handler gets the further arguments of the framework", async (t) => {
  const { provider, guard } = await setUp(t);
  const handler = protect(
    guard,
    {},
    (request: Request, auth, { params }: { params: { id: string } }, more: number) =>
      Response.json([auth.subject, params.id, more, request.method]),
  );
  const [name, value] = bearer(provider.token({ sub: "alice" }));
  const request = new Request("http://api/", { headers: { [name]: value } });
  assert.deepEqual(await (await handler(request, { params: { id: "7" } }, 8)).json(), [
    "alice",
    "7",
    8,
    "GET",
  ]);
});

test("an error of the handler is the framework's", async (t) => {
  const { provider, guard } = await setUp(t);
  const failing = protect(guard, {}, () => {
    throw new Error("of the handler");
  });
  await assert.rejects(callWeb(failing)({ headers: [bearer(provider.token())] }), /of the handler/);
});

test("authenticate decides on a request without a handler", async (t) => {
  const { provider, guard } = await setUp(t, { asks: true });
  const ask = async (token: string | null, rules?: RequestRules) =>
    await authenticate(
      guard,
      new Request("http://api/", token === null ? {} : { headers: { authorization: `Bearer ${token}` } }),
      rules,
    );
  const passed = await ask(provider.token({ sub: "alice", scope: "read" }), { scopes: ["read"] });
  assert.deepEqual([passed.auth?.subject, passed.response, passed.headers], ["alice", null, {}]);

  const refused = await ask(null);
  assert.equal(refused.auth, null);
  const { status, headers } = refused.response;
  const body = await refused.response.text();
  assertRefused({ status, headers: Object.fromEntries(headers), body }, 401, "unauthorized");
  assert.equal((await ask(provider.token(), { scopes: ["write"] })).response?.status, 403);

  provider.fault("introspection", { status: 500 });
  const degraded = await ask(provider.token({ sub: "bob" }));
  assert.deepEqual(
    [degraded.auth?.subject, degraded.headers],
    ["bob", { "X-Auth-Degraded": "authority_unavailable" }],
  );
});

test("authenticate refuses wrong rules in its own name", async () => {
  const guard = { authorize: () => assert.fail("asked") };
  const request = new Request("http://api/");
  const wrong = { scope: ["read"] } as RequestRules;
  await assert.rejects(authenticate(guard, request, wrong), {
    message: /^authenticate: rules has no option/,
  });
  const cookie = { tokenFrom: { cookie: { name: "a b", origins: ["https://a.example"] } } };
  await assert.rejects(authenticate(guard, request, cookie), {
    message: /^authenticate: tokenFrom.cookie: name/,
  });
});
