import type { Rules } from "../../src/core/rules.ts";
import assert from "node:assert/strict";
import { BlockList } from "node:net";
import { test, type TestContext } from "node:test";
import type { Decision } from "../../src/core/verdict.ts";
import { createGateway, isVerifyRequest, type GatewayOptions } from "../../src/gateway/gateway.ts";
import { parsePathPattern, type PathRule } from "../../src/gateway/policy.ts";
import { listen } from "../../src/server/http/listen.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";

async function ask(t: TestContext, decision: Decision, init: RequestInit = {}): Promise<Response> {
  const listener = await listen("127.0.0.1", 0, "HOLDFAST_PORT");
  t.after(listener.stop);
  listener.mount(createGateway({ authorize: async () => decision }));
  const headers = { authorization: "Bearer token", connection: "close" };
  return await fetch(`${listener.address}/verify`, { headers, ...init });
}

const valid = {
  status: "valid",
  claims: { iss: "https://id.example" },
  subject: "alice",
  scopes: ["orders:read", "a"],
  sessionId: "s1",
  expiresAt: 1,
  basis: "verification",
  from: "verification",
  degraded: null,
  revocationAgeMs: null,
} as const;

function identity({ headers }: Response): (string | null)[] {
  const names = ["subject", "scopes", "session", "issuer", "degraded"];
  return names.map((name) => headers.get(`x-auth-${name}`));
}

for (const method of ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]) {
  test(`/verify answers ${method} with 200 and the identity`, async (t) => {
    const response = await ask(t, valid, { method });
    assert.equal(response.status, 200);
    assert.deepEqual(identity(response), ["alice", "orders%3Aread a", "s1", "https%3A%2F%2Fid.example", ""]);
    assert.equal(response.headers.get("cache-control"), "no-store");
  });
}

test("fault 55: every identity header is sent, and no claim can end a header or start another", async (t) => {
  const subject = "a\r\nX-Auth-Scopes: admin\u0000é\ud800";
  const response = await ask(t, {
    ...valid,
    subject,
    scopes: [],
    sessionId: undefined,
    degraded: { cause: "authority_slow", sinceMs: 1 },
  });
  assert.deepEqual(identity(response), [
    "a%0D%0AX-Auth-Scopes%3A%20admin%00%C3%A9%EF%BF%BD",
    "",
    "",
    "https%3A%2F%2Fid.example",
    "authority_slow",
  ]);
});

const refusals: [Decision, number, string][] = [
  [{ status: "invalid", reason: "revoked" }, 401, "www-authenticate"],
  [{ status: "forbidden", missing: ["x"] }, 403, "www-authenticate"],
  [{ status: "unavailable", cause: "revocations_stale", retryAfterMs: 2000 }, 503, "retry-after"],
];
for (const [decision, status, header] of refusals) {
  test(`law 1: ${decision.status} is ${status} with ${header} and without an identity`, async (t) => {
    const response = await ask(t, decision);
    assert.equal(response.status, status);
    assert.notEqual(response.headers.get(header), null);
    assert.deepEqual(identity(response), [null, null, null, null, null]);
  });
}

test("only /verify and the paths below it belong to the gateway", () => {
  const asks = (url: string) => isVerifyRequest({ url } as Parameters<typeof isVerifyRequest>[0]);
  for (const url of ["/verify", "/verify/", "/verify/a/b?c", "/verify?x"]) assert.equal(asks(url), true, url);
  for (const url of ["/", "/verifyx", "/auth/verify", "/VERIFY"]) assert.equal(asks(url), false, url);
});

const here = new BlockList();
here.addAddress("127.0.0.1");

function rule(path: string, requirements: Rules | null): PathRule {
  const pattern = parsePathPattern(path);
  assert.ok(pattern);
  return { host: null, path: pattern, methods: null, requirements };
}

const policy = [
  rule("/open", null),
  rule("/orders/*", {
    scopes: ["orders:read"],
    degraded: "deny",
    maxRevocationAgeMs: 5000,
    maxAuthAgeMs: 300_000,
  }),
];

/** Sends a request as Caddy does. `asked` are the rules that the guard was called with. */
async function askAbout(
  t: TestContext,
  uri: string,
  options: GatewayOptions = { policy, trustedProxies: here },
  token: string | undefined = "Bearer token",
): Promise<{ response: Response; asked: unknown[] }> {
  const asked: unknown[] = [];
  const listener = await listen("127.0.0.1", 0, "HOLDFAST_PORT");
  t.after(listener.stop);
  const authorize = async (
    _: string,
    { signal: _signal, ...rules }: Rules & { signal?: AbortSignal } = {},
  ) => {
    asked.push(rules);
    return await Promise.resolve(valid);
  };
  listener.mount(createGateway({ authorize }, options));
  const headers: Record<string, string> = {
    connection: "close",
    "x-forwarded-method": "GET",
    "x-forwarded-host": "api.example",
    "x-forwarded-uri": uri,
    ...(token !== "" && { authorization: token }),
  };
  return { response: await fetch(`${listener.address}/verify/caddy`, { headers }), asked };
}

test("under a policy the guard gets the requirements of the matching rule", async (t) => {
  const { response, asked } = await askAbout(t, "/orders/7?x");
  assert.equal(response.status, 200);
  const requirements = { scopes: ["orders:read"], degraded: "deny" };
  assert.deepEqual(asked, [{ ...requirements, maxRevocationAgeMs: 5000, maxAuthAgeMs: 300_000 }]);
});

test("a cookie counts under a policy only, and by the method that the client sent to the proxy", async (t) => {
  const cookie = { name: "__Host-hf_at", origins: new Set(["https://app.example"]) };
  const statusOf = async (options: GatewayOptions, headers: Record<string, string>) => {
    const listener = await listen("127.0.0.1", 0, "HOLDFAST_PORT");
    t.after(listener.stop);
    listener.mount(
      createGateway({ authorize: async () => valid }, { trustedProxies: here, cookie, ...options }),
    );
    const forwarded = { "x-forwarded-host": "api.example", "x-forwarded-uri": "/orders" };
    const sent = { connection: "close", cookie: "__Host-hf_at=token", ...forwarded, ...headers };
    return (await fetch(`${listener.address}/verify/caddy`, { headers: sent })).status;
  };
  const underPolicy = { policy: [rule("/*", {})] };
  assert.equal(await statusOf(underPolicy, { "x-forwarded-method": "GET" }), 200);
  assert.equal(await statusOf(underPolicy, { "x-forwarded-method": "POST" }), 403);
  const page = { "x-forwarded-method": "POST", origin: "https://app.example", "x-holdfast": "1" };
  assert.equal(await statusOf(underPolicy, page), 200);
  assert.equal(await statusOf({}, page), 401);
  const own = { cookie: { name: "other", origins: cookie.origins } };
  assert.equal(await statusOf({ policy: [{ ...rule("/*", {}), ...own }] }, page), 401);
});

test("a rule names its audience, or the gateway's own one applies", async (t) => {
  const other = { audience: ["https://stock.example"] };
  const options = {
    policy: [rule("/stock", other), rule("/*", {}), rule("/open", null)],
    trustedProxies: here,
    audience: "https://orders.example",
  };
  assert.deepEqual((await askAbout(t, "/stock", options)).asked, [other]);
  assert.deepEqual((await askAbout(t, "/orders", options)).asked, [{ audience: "https://orders.example" }]);
});

test("a login that is too old gets the challenge of RFC 9470", async (t) => {
  const reason = "insufficient_user_authentication";
  const response = await ask(t, { status: "invalid", reason, maxAuthAgeMs: 300_000 });
  assert.equal(response.status, 401);
  assert.match(
    response.headers.get("www-authenticate") ?? "",
    /"insufficient_user_authentication".*max_age="300"$/,
  );
});

test("an anonymous rule ignores any token, and sends every identity header empty", async (t) => {
  for (const token of ["", "Bearer token", "Bearer ?", "Basic eDp5"]) {
    const { response, asked } = await askAbout(t, "/open", undefined, token);
    assert.equal(response.status, 200);
    assert.deepEqual(identity(response), ["", "", "", "", ""]);
    assert.deepEqual(asked, []);
  }
});

for (const [what, uri, options] of [
  ["a request that no rule matches", "/other", undefined],
  ["an ambiguous path", "/orders/%2e%2e/open", undefined],
  ["a peer that is no trusted proxy", "/orders/7", { policy }],
] as const) {
  test(`fault 55: ${what} gets 403 before the guard sees the token`, async (t) => {
    const { response, asked } = await askAbout(t, uri, options);
    assert.equal(response.status, 403);
    assert.deepEqual(identity(response), [null, null, null, null, null]);
    assert.equal(((await response.json()) as { error: string }).error, "forbidden");
    assert.deepEqual(asked, []);
  });
}

test("law 1: envoy gets 503 within its 200 ms, and the validation goes on", async (t) => {
  const clock = new FakeClock();
  const listener = await listen("127.0.0.1", 0, "HOLDFAST_PORT");
  t.after(listener.stop);
  const asked = Promise.withResolvers<void>();
  const authorize = async () => {
    asked.resolve();
    return await new Promise<never>(() => {});
  };
  listener.mount(createGateway({ authorize }, { clock }));
  const headers = { authorization: "Bearer token", connection: "close" };
  const answer = fetch(`${listener.address}/verify/envoy/orders`, { headers });
  await asked.promise;
  await clock.advance(150);
  const response = await answer;
  assert.equal(response.status, 503);
  assert.equal(response.headers.get("retry-after"), "1");
});
