import assert from "node:assert/strict";
import { test } from "node:test";
import type { OptionalRules, RequestRules } from "../../src/adapters/http/token-from.ts";
import type { ValidVerdict } from "../../src/core/verdict.ts";
import { assertRefused, setUp, type Framework } from "./http-contract.ts";
import { bearer } from "./http-client.ts";

const optional: OptionalRules = { optional: true, scopes: ["read"] };
/** Under optional rules the verdict may be absent, which the type of a handle does not say. */
const greet = (auth: ValidVerdict | null | undefined) => (auth ? `hello ${auth.subject}` : "hello stranger");

const metadata = "https://api.example.com/.well-known/oauth-protected-resource";
const challenged: RequestRules = {
  scopes: ["write"],
  challenge: { realm: "orders", resourceMetadata: metadata, scopes: ["read", "write"] },
};

const wrong: [rules: object, message: RegExp][] = [
  [{ optional: "yes" }, /protect: optional must be true or false; got a string/],
  [{ challenge: 7 }, /protect: challenge must be an object/],
  [{ challenge: { resource_metadata: metadata } }, /protect: challenge has no option "resource_metadata"/],
  [{ challenge: { resourceMetadata: "/x" } }, /resourceMetadata must be an http or https URL/],
  [{ challenge: { realm: 'a"b' } }, /realm must be visible ASCII characters without quotation mark/],
  [{ challenge: { realm: "a\r\nSet-Cookie: x" } }, /realm must be visible ASCII characters/],
  [{ challenge: { scopes: [] } }, /scopes must be a list of at least one scope/],
  [{ challenge: { scopes: ["a b"] } }, /scopes must be a list of at least one scope/],
];

/** The tests of `optional` and `challenge`, which every framework passes. */
export function optionalContract(framework: Framework): void {
  test("under optional rules a request without a token passes without a verdict", async (t) => {
    const { provider, guard } = await setUp(t);
    const send = await framework.serve(t, guard, [optional], greet);
    assert.equal((await send({ headers: [] })).body, "hello stranger");
    assert.equal((await send({ headers: [["Authorization", "Basic dXNlcg=="]] })).body, "hello stranger");
    const token = provider.token({ sub: "alice", scope: "read" });
    assert.equal((await send({ headers: [bearer(token)] })).body, "hello alice");
  });

  test("under optional rules a bad token is refused as on every route, and an outage is 503", async (t) => {
    const { provider, guard } = await setUp(t);
    const send = await framework.serve(t, guard, [optional], () => assert.fail("reached"));
    assertRefused(await send({ headers: [bearer(provider.token({ exp: 1 }))] }), 401, "invalid_token");
    assertRefused(await send({ headers: [bearer(provider.token())] }), 403, "insufficient_scope");
    assertRefused(await send({ headers: [bearer("a"), bearer("b")] }), 400, "invalid_request");
    assertRefused(await send({ headers: [["Authorization", "Bearer\ttoken"]] }), 400, "invalid_request");
    await guard.close();
    assertRefused(await send({ headers: [bearer("token")] }), 503, "temporarily_unavailable");
  });

  test("under optional rules the verdict of an earlier protect does not stay", async (t) => {
    const { provider, guard } = await setUp(t);
    const cookie = { name: "__Host-t", origins: ["https://app.example.com"] };
    const send = await framework.serve(t, guard, [{ tokenFrom: { cookie } }, optional], greet);
    const carried = ["Cookie", `__Host-t=${provider.token({ sub: "alice" })}`] as const;
    assert.equal((await send({ headers: [carried] })).body, "hello stranger");
  });

  test("the challenge names the realm, the metadata and the scopes of the route", async (t) => {
    const { provider, guard } = await setUp(t);
    const send = await framework.serve(t, guard, [challenged], () => assert.fail("reached"));
    const challengeOf = async (headers: (readonly [string, string])[]) =>
      (await send({ headers })).headers["www-authenticate"];
    const more = `resource_metadata="${metadata}"`;
    assert.equal(await challengeOf([]), `Bearer realm="orders", scope="read write", ${more}`);
    const expired = await challengeOf([bearer(provider.token({ exp: 1 }))]);
    assert.equal(expired, `Bearer realm="orders", error="invalid_token", scope="read write", ${more}`);
    const lacking = await challengeOf([bearer(provider.token())]);
    assert.equal(lacking, `Bearer realm="orders", error="insufficient_scope", scope="write", ${more}`);
  });

  test("wrong values of optional and challenge are refused when the route is created", async (t) => {
    const { guard } = await setUp(t);
    for (const [rules, message] of wrong) {
      assert.throws(() => framework.protect(guard, rules), { code: "invalid_option", message });
    }
  });
}
