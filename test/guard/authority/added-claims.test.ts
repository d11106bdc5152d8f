import assert from "node:assert/strict";
import { test } from "node:test";
import { introspection } from "../../../src/index.ts";
import type { SingleIssuerOptions } from "../../../src/guard/types.ts";
import { audience, makeFixture } from "../fixture.ts";

const realm = { roles: ["admin"] };
const complete = { active: true, sub: "ann", aud: audience, realm_access: realm, token_type: "Bearer" };

/** A guard whose authority answers `answer` about every JWT, and does not answer while `answer` is `null`. */
async function setUp(options: Partial<SingleIssuerOptions> = {}) {
  const { guard, mint, clock } = await makeFixture();
  const authority: { answer: object | null; asked: number } = { answer: complete, asked: 0 };
  const source = introspection({
    url: "https://id.example/introspect",
    clientId: "api",
    clientSecret: "a secret",
    fetch: async (_url, init) => {
      if (!new URLSearchParams(init.body as string).get("token")?.startsWith("ey"))
        return Response.json({ active: false });
      authority.asked++;
      if (authority.answer === null) return await Promise.reject(new TypeError("no answer"));
      return Response.json(authority.answer);
    },
  });
  return { guard: guard({ authority: source, ...options }), mint, clock, authority };
}

test("the authority's answer adds the claims that a token lacks, and replaces none", async () => {
  const { guard, mint } = await setUp();
  const verdict = await guard.validate(mint.token({ sub: undefined, aud: undefined, tenant: "acme" }));
  assert.ok(verdict.status === "valid");
  assert.equal(verdict.subject, "ann");
  assert.deepEqual(verdict.claims["realm_access"], realm);
  assert.equal(verdict.claims["tenant"], "acme");
  assert.ok(!("active" in verdict.claims) && !("token_type" in verdict.claims));
  assert.ok(Object.isFrozen(verdict.claims));
});

test("a claim of the token wins over the same claim of the answer", async () => {
  const { guard, mint, authority } = await setUp();
  authority.answer = { ...complete, tenant: "other", realm_access: { roles: ["root"] } };
  const verdict = await guard.validate(mint.token({ sub: "ann", tenant: "acme", realm_access: realm }));
  assert.ok(verdict.status === "valid");
  assert.equal(verdict.claims["tenant"], "acme");
  assert.deepEqual(verdict.claims["realm_access"], realm);
});

test("a subject that contradicts the token's own makes the answer unusable", async () => {
  const { guard, mint } = await setUp();
  const verdict = await guard.validate(mint.token({ sub: "bob" }));
  assert.equal(verdict.status === "unavailable" && verdict.cause, "authority_unavailable");
});

test("required claims and the audience are judged after the answer", async () => {
  const { guard, mint, authority } = await setUp();
  const lightweight = () => mint.token({ sub: undefined, aud: undefined });
  authority.answer = { active: true, aud: audience };
  assert.deepEqual(await guard.validate(lightweight()), { status: "invalid", reason: "missing_claim" });
  authority.answer = { active: true, sub: "ann" };
  assert.deepEqual(await guard.validate(lightweight()), { status: "invalid", reason: "missing_claim" });
  authority.answer = { active: true, sub: "ann", aud: "https://other.example" };
  assert.deepEqual(await guard.validate(lightweight()), { status: "invalid", reason: "wrong_audience" });
  // An audience that the token itself names is judged before the question.
  const { asked } = authority;
  const other = mint.token({ sub: undefined, aud: "https://other.example" });
  assert.deepEqual(await guard.validate(other), { status: "invalid", reason: "wrong_audience" });
  assert.equal(authority.asked, asked);
});

test("a later answer replaces what an earlier one added", async () => {
  const { guard, mint, authority, clock } = await setUp({ memory: { ttlMs: 60_000 } });
  const token = mint.token({ sub: undefined });
  assert.equal((await guard.validate(token)).status, "valid");
  authority.answer = { ...complete, realm_access: { roles: [] } };
  await clock.advance(61_000);
  const verdict = await guard.validate(token);
  assert.ok(verdict.status === "valid");
  assert.deepEqual(verdict.claims["realm_access"], { roles: [] });
});

test("law 1: local mode accepts no token that lacks a required claim", async () => {
  const { guard, mint, authority } = await setUp({ degraded: "local" });
  authority.answer = null;
  assert.equal((await guard.validate(mint.token({ sub: undefined }))).status, "unavailable");
  const whole = await guard.validate(mint.token({ sub: "ann" }));
  assert.ok(whole.status === "valid" && whole.degraded !== null);
});

test("law 1: the rule `audience` of a route waits for the answer when the token names no audience", async () => {
  const { guard, mint, authority } = await setUp();
  const lightweight = () => mint.token({ sub: undefined, aud: undefined });
  assert.equal((await guard.authorize(lightweight(), { audience })).status, "valid", "not in memory");
  authority.answer = { ...complete, aud: [audience, "https://other.example"] };
  const both = lightweight();
  assert.equal((await guard.authorize(both, { audience: "https://other.example" })).status, "valid");
  assert.deepEqual(await guard.authorize(both, { audience: "https://third.example" }), {
    status: "invalid",
    reason: "wrong_audience",
  });
  const { asked } = authority;
  const named = mint.token({ sub: undefined });
  const wrong = await guard.authorize(named, { audience: "https://other.example" });
  assert.deepEqual(wrong, { status: "invalid", reason: "wrong_audience" });
  assert.equal(authority.asked, asked, "no answer changes an audience that the token names");
});

test("law 1: without the answer, the rule `audience` of a route makes no token without `aud` invalid", async () => {
  const { guard, mint, authority } = await setUp({ degraded: "local" });
  authority.answer = null;
  const decision = await guard.authorize(mint.token({ sub: undefined, aud: undefined }), { audience });
  assert.equal(decision.status, "unavailable");
});
