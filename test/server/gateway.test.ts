import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { Decision } from "../../src/core/verdict.ts";
import type { Guard } from "../../src/guard/types.ts";
import { gateway, isVerify } from "../../src/server/gateway.ts";
import { listen } from "../../src/server/listen.ts";

async function ask(t: TestContext, decision: Decision, init: RequestInit = {}): Promise<Response> {
  const listener = await listen("127.0.0.1", 0, "HOLDFAST_PORT");
  t.after(listener.stop);
  listener.mount(gateway({ authorize: async () => decision } as unknown as Guard));
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
  basis: "proof",
  from: "origin",
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

test("fault 55: identity headers are all there, and nothing in a claim can end one or start another", async (t) => {
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

test("only /verify itself and what is below it are the proxy's questions", () => {
  const asks = (url: string) => isVerify({ url } as Parameters<typeof isVerify>[0]);
  for (const url of ["/verify", "/verify/", "/verify/a/b?c", "/verify?x"]) assert.equal(asks(url), true, url);
  for (const url of ["/", "/verifyx", "/auth/verify", "/VERIFY"]) assert.equal(asks(url), false, url);
});
