import assert from "node:assert/strict";
import { test } from "node:test";
import type { AuthoritySource } from "../../../src/guard/authority/authority.ts";
import { tokenValidation } from "../../../src/index.ts";
import { degradedVerdict, makeFixture, minute, noAnswer, describeDecision } from "./fixture.ts";

for (const [about, answer] of [
  ["subject", { sub: "mallory" }],
  ["issuer", { iss: "https://other.example" }],
] as const) {
  test(`a yes about another ${about} counts as no answer: it emits an event, and the fallback policy decides`, async (t) => {
    const { guard, provider, respondWith, events } = await makeFixture(t);
    const [strict, lax] = [guard(), guard({ degraded: "local" })];
    respondWith({ active: true, ...answer });
    const token = provider.token({ sub: "alice" });
    assert.equal(describeDecision(await strict.validate(token)), noAnswer);
    assert.equal(describeDecision(await lax.validate(token)), degradedVerdict);
    assert.ok(events().includes("authority_failed"));
    respondWith({ active: true, sub: "alice", iss: provider.issuer });
    for (const g of [strict, lax]) assert.equal(describeDecision(await g.validate(token)), "valid");
  });
}

test("every yes about an opaque token must satisfy the guard's claims policy", async (t) => {
  const { guard, provider, clock, respondWith, asked } = await makeFixture(t);
  const g = guard({ degraded: "cached" });
  const exp = clock.now() / 1000 + 86_400;
  const token = provider.opaqueToken();
  const aud = "https://api.example";
  const good = { active: true, sub: "alice", aud, exp, scope: "read" };
  for (const [wrong, expected] of [
    [{ aud: "https://other.example" }, "invalid: wrong_audience"],
    [{ exp: undefined }, "invalid: missing_claim"],
    [{ cnf: { jkt: "x" } }, "invalid: sender_constrained"],
    [{ sub: "mallory" }, noAnswer],
  ] as const) {
    respondWith(good);
    await clock.advance(10_000);
    assert.equal(describeDecision(await g.validate(token)), "valid");
    respondWith({ ...good, ...wrong });
    await clock.advance(6 * minute);
    const questions = asked.length;
    for (let i = 0; i < 5; i++) {
      const outcome = describeDecision(await g.validate(token));
      assert.equal(outcome, expected === noAnswer ? degradedVerdict : expected);
    }
    if (expected !== noAnswer) assert.equal(asked.length, questions + 1, "the refusal is cached");
    provider.fault("introspection", { refuse: true });
    await clock.advance(11_000);
    assert.equal(
      describeDecision(await g.validate(token)),
      expected === noAnswer ? degradedVerdict : noAnswer,
    );
    provider.restore();
    await clock.advance(minute);
  }
});

test("an answer can reduce scopes and lifetime, and the next answer replaces it", async (t) => {
  const { guard, provider, clock, respondWith } = await makeFixture(t);
  const g = guard({ degraded: "cached" });
  const token = provider.token({ scope: "read write" });
  respondWith({ active: true, scope: "read" });
  const verdict = await g.validate(token);
  assert.deepEqual(verdict.status === "valid" && [verdict.scopes, verdict.basis], [["read"], "authority"]);
  provider.fault("introspection", { refuse: true });
  await clock.advance(6 * minute);
  assert.equal(describeDecision(await g.authorize(token, { scopes: ["read"] })), degradedVerdict);
  assert.equal(describeDecision(await g.authorize(token, { scopes: ["write"] })), "forbidden");
  respondWith({ active: true, scope: "read write", exp: clock.now() / 1000 + 120 });
  await clock.advance(minute);
  const later = await g.authorize(token, { scopes: ["write"] });
  assert.ok(later.status === "valid" && later.degraded === null);
  await clock.advance(2 * minute);
  assert.equal(describeDecision(await g.validate(token)), "invalid: expired");
});

test("an answer cannot extend a token beyond its own exp", async (t) => {
  const { guard, provider, clock, respondWith } = await makeFixture(t);
  const g = guard();
  const token = provider.token({ exp: clock.now() / 1000 + 60 });
  respondWith({ active: true, exp: clock.now() / 1000 + 86_400 });
  assert.equal(describeDecision(await g.validate(token)), "valid");
  await clock.advance(66_000);
  assert.equal(describeDecision(await g.validate(token)), "invalid: expired");
});

test("law 3: a token that the authority calls key-bound stays refused during an outage", async (t) => {
  const { guard, provider, clock, respondWith } = await makeFixture(t);
  const g = guard({ degraded: "local" });
  const token = provider.token();
  respondWith({ active: true, cnf: { jkt: "x" } });
  assert.equal(describeDecision(await g.validate(token)), "invalid: sender_constrained");
  provider.fault("introspection", { refuse: true });
  await clock.advance(minute);
  assert.equal(describeDecision(await g.validate(token)), "invalid: revoked");
});

test("law 6: the result cache counts the length of long answers", async (t) => {
  const { guard, provider } = await makeFixture(t);
  const g = guard({ memory: { maxBytes: 1_000_000 } });
  for (let i = 0; i < 50; i++) {
    assert.equal(
      describeDecision(await g.validate(provider.opaqueToken({ much: "x".repeat(50_000) }))),
      "valid",
    );
  }
  const { size, bytes } = g.status().memory.valid;
  assert.ok(size >= 10 && size <= 20 && bytes <= 1_000_000, `${size} with ${bytes} bytes`);
});

test("tokenValidation behaves like introspection", async (t) => {
  const { guard, provider, clock } = await makeFixture(t);
  const { fetch, bearer: bearerToken } = provider;
  const authority = tokenValidation({ url: provider.url("validate"), bearerToken, fetch, opaque: true });
  const g = guard({ degraded: "local", authority });
  await g.ready();
  const [token, ended, opaque] = [provider.token(), provider.token(), provider.opaqueToken()];
  provider.revoke(ended);
  assert.equal(describeDecision(await g.validate(token)), "valid");
  assert.equal(describeDecision(await g.validate(opaque)), "valid");
  assert.equal(describeDecision(await g.validate(ended)), "invalid: revoked");
  provider.fault("validate", { refuse: true });
  await clock.advance(6 * minute);
  assert.equal(describeDecision(await g.validate(token)), degradedVerdict);
  assert.equal(describeDecision(await g.validate(ended)), "invalid: revoked");
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
  test(`law 1: a custom authority that ${what} counts as unavailable, not as a no`, async (t) => {
    const { guard, provider, events } = await makeFixture(t);
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
    assert.equal(describeDecision(await g.validate(provider.token())), noAnswer);
    assert.equal(
      describeDecision(await guard({ authority, degraded: "local" }).validate(provider.token())),
      degradedVerdict,
    );
    assert.ok(events().includes("authority_failed"));
  });
}
