import assert from "node:assert/strict";
import { test } from "node:test";
import type { AuthoritySource } from "../../../src/guard/authority/authority.ts";
import { tokenValidation } from "../../../src/index.ts";
import { letIn, makeWorld, minute, out, short } from "./fixture.ts";

for (const [about, answer] of [
  ["subject", { sub: "mallory" }],
  ["issuer", { iss: "https://other.example" }],
] as const) {
  test(`a yes about another ${about} is no yes, and no no: unavailable, an alarm, and the policy decides`, async (t) => {
    const { guard, provider, says, events } = await makeWorld(t);
    const [strict, lax] = [guard(), guard({ degraded: "local" })];
    says({ active: true, ...answer });
    const token = provider.token({ sub: "alice" });
    assert.equal(short(await strict.validate(token)), out);
    assert.equal(short(await lax.validate(token)), letIn);
    assert.ok(events().includes("authority_failed"));
    says({ active: true, sub: "alice", iss: provider.issuer });
    for (const g of [strict, lax]) assert.equal(short(await g.validate(token)), "valid");
  });
}

test("a yes about an opaque token is held to the guard's policy, the first one and every later one", async (t) => {
  const { guard, provider, clock, says, asked } = await makeWorld(t);
  const g = guard({ degraded: "cached" });
  const exp = clock.now() / 1000 + 86_400;
  const token = provider.opaqueToken();
  const aud = "https://api.example";
  const good = { active: true, sub: "alice", aud, exp, scope: "read" };
  for (const [wrong, expected] of [
    [{ aud: "https://other.example" }, "invalid: wrong_audience"],
    [{ exp: undefined }, "invalid: missing_claim"],
    [{ cnf: { jkt: "x" } }, "invalid: sender_constrained"],
    [{ sub: "mallory" }, out],
  ] as const) {
    says(good);
    await clock.advance(10_000);
    assert.equal(short(await g.validate(token)), "valid");
    says({ ...good, ...wrong });
    await clock.advance(6 * minute);
    const questions = asked.length;
    for (let i = 0; i < 5; i++) {
      const outcome = short(await g.validate(token));
      assert.equal(outcome, expected === out ? letIn : expected);
    }
    if (expected !== out) assert.equal(asked.length, questions + 1, "it is not asked about at each use");
    provider.fault("introspection", { refuse: true });
    await clock.advance(11_000);
    assert.equal(short(await g.validate(token)), expected === out ? letIn : out);
    provider.restore();
    await clock.advance(minute);
  }
});

test("an answer can take scopes and time away, and the next one decides anew", async (t) => {
  const { guard, provider, clock, says } = await makeWorld(t);
  const g = guard({ degraded: "cached" });
  const token = provider.token({ scope: "read write" });
  says({ active: true, scope: "read" });
  const verdict = await g.validate(token);
  assert.deepEqual(verdict.status === "valid" && [verdict.scopes, verdict.basis], [["read"], "authority"]);
  provider.fault("introspection", { refuse: true });
  await clock.advance(6 * minute);
  assert.equal(short(await g.authorize(token, { scopes: ["read"] })), letIn);
  assert.equal(short(await g.authorize(token, { scopes: ["write"] })), "forbidden");
  says({ active: true, scope: "read write", exp: clock.now() / 1000 + 120 });
  await clock.advance(minute);
  const later = await g.authorize(token, { scopes: ["write"] });
  assert.ok(later.status === "valid" && later.degraded === null);
  await clock.advance(2 * minute);
  assert.equal(short(await g.validate(token)), "invalid: expired");
});

test("an answer cannot make a token live longer than it says itself", async (t) => {
  const { guard, provider, clock, says } = await makeWorld(t);
  const g = guard();
  const token = provider.token({ exp: clock.now() / 1000 + 60 });
  says({ active: true, exp: clock.now() / 1000 + 86_400 });
  assert.equal(short(await g.validate(token)), "valid");
  await clock.advance(66_000);
  assert.equal(short(await g.validate(token)), "invalid: expired");
});

test("law 3: a token that the authority calls bound to a key is refused, also while it is out", async (t) => {
  const { guard, provider, clock, says } = await makeWorld(t);
  const g = guard({ degraded: "local" });
  const token = provider.token();
  says({ active: true, cnf: { jkt: "x" } });
  assert.equal(short(await g.validate(token)), "invalid: sender_constrained");
  provider.fault("introspection", { refuse: true });
  await clock.advance(minute);
  assert.equal(short(await g.validate(token)), "invalid: revoked");
});

test("law 6: what an authority says at length is counted as long as it is", async (t) => {
  const { guard, provider } = await makeWorld(t);
  const g = guard({ memory: { maxBytes: 1_000_000 } });
  for (let i = 0; i < 50; i++) {
    assert.equal(short(await g.validate(provider.opaqueToken({ much: "x".repeat(50_000) }))), "valid");
  }
  const { size, bytes } = g.status().memory.valid;
  assert.ok(size >= 10 && size <= 20 && bytes <= 1_000_000, `${size} with ${bytes} bytes`);
});

test("an endpoint like POST /auth/validate is asked the same way", async (t) => {
  const { guard, provider, clock } = await makeWorld(t);
  const { fetch, bearer: bearerToken } = provider;
  const authority = tokenValidation({ url: provider.url("validate"), bearerToken, fetch, opaque: true });
  const g = guard({ degraded: "local", authority });
  await g.ready();
  const [token, ended, opaque] = [provider.token(), provider.token(), provider.opaqueToken()];
  provider.revoke(ended);
  assert.equal(short(await g.validate(token)), "valid");
  assert.equal(short(await g.validate(opaque)), "valid");
  assert.equal(short(await g.validate(ended)), "invalid: revoked");
  provider.fault("validate", { refuse: true });
  await clock.advance(6 * minute);
  assert.equal(short(await g.validate(token)), letIn);
  assert.equal(short(await g.validate(ended)), "invalid: revoked");
});

for (const [what, ask] of [
  [
    "throws",
    () => {
      throw new Error("token-1234");
    },
  ],
  ["rejects", async () => await Promise.reject(new Error("token-1234"))],
  ["answers nothing", () => undefined],
  ["answers nonsense", () => ({ status: "yes" })],
  ["answers nonsense later", async () => await Promise.resolve({ status: "yes", claims: null })],
] as const) {
  test(`law 1: somebody's own authority that ${what} is unavailable, not a no and not an exception`, async (t) => {
    const { guard, provider, events } = await makeWorld(t);
    const authority = {
      kind: "validation",
      opaque: null,
      open: () => ({
        ask,
        softTimeoutMs: 80,
        failingMs: () => null,
        status: () => ({ breaker: "closed" }),
        start: () => {},
        ready: async () => {},
        force: () => {},
        close: () => {},
      }),
    } as unknown as AuthoritySource;
    const g = guard({ authority });
    assert.equal(short(await g.validate(provider.token())), out);
    assert.equal(short(await guard({ authority, degraded: "local" }).validate(provider.token())), letIn);
    assert.ok(events().includes("authority_failed"));
  });
}
