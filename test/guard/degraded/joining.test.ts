import assert from "node:assert/strict";
import { test } from "node:test";
import { staticKeys } from "../../../src/index.ts";
import { countLookups } from "../fixture.ts";
import { degradedVerdict, makeFixture, describeDecision, settleWithin } from "./fixture.ts";

for (const mode of ["deny", "cached", "local"] as const) {
  test(`fault 32: in mode ${mode} 5,000 callers with one cold token cause one verification and one question, and one abort fails one call`, async (t) => {
    const { guard, provider, clock, asked } = await makeFixture(t);
    const { keys, lookups } = countLookups(staticKeys(provider.jwks()));
    const g = guard({ degraded: mode, keys });
    await g.ready();
    provider.fault("introspection", { latencyMs: 50 });
    const token = provider.token({ scope: "read" });
    const gone = new AbortController();
    const calls = Array.from({ length: 5_000 }, async (_, i) => {
      const rules = i === 0 ? { signal: gone.signal } : { scopes: [i % 2 === 0 ? "read" : "write"] };
      return await g.authorize(token, rules);
    });
    await clock.advance(10);
    gone.abort(new Error("gone"));
    const settled = Promise.allSettled(calls);
    await clock.advance(50);
    const outcomes = (await settled).map((one) =>
      one.status === "fulfilled" ? describeDecision(one.value) : (one.reason as Error).message,
    );
    assert.equal(outcomes[0], "gone");
    assert.ok(
      outcomes.slice(1).every((outcome, i) => outcome === ((i + 1) % 2 === 0 ? "valid" : "forbidden")),
    );
    assert.deepEqual([asked.length, lookups()], [1, 1]);
  });
}

test("fault 32: 5,000 callers with one opaque token cause one question", async (t) => {
  const { guard, provider, clock, asked } = await makeFixture(t);
  const g = guard();
  provider.fault("introspection", { latencyMs: 50 });
  const token = provider.opaqueToken();
  const calls = Array.from({ length: 5_000 }, async () => await g.validate(token));
  await clock.advance(50);
  assert.ok((await Promise.all(calls)).every(({ status }) => status === "valid"));
  assert.equal(asked.length, 1);
});

test("law 7: callers that joined one question wait as long as their own rules require", async (t) => {
  const { guard, provider, clock, asked } = await makeFixture(t);
  const g = guard({ degraded: "local" });
  await g.ready();
  provider.fault("introspection", { latencyMs: 300 });
  const token = provider.token();
  const strict = g.authorize(token, { degraded: "deny" });
  const lax = g.authorize(token);
  assert.equal(describeDecision(await settleWithin(clock, 100, lax)), degradedVerdict);
  const latecomer = g.authorize(token);
  assert.equal(
    describeDecision(await settleWithin(clock, 0, latecomer)),
    degradedVerdict,
    "the soft timeout is over for all callers",
  );
  assert.equal(describeDecision(await settleWithin(clock, 0, strict)), "pending");
  assert.equal(describeDecision(await settleWithin(clock, 200, strict)), "valid");
  assert.equal(describeDecision(await g.authorize(token)), "valid");
  assert.equal(asked.length, 1);
});

test("law 7: an aborted caller does not cancel the question, and its answer is cached", async (t) => {
  const { guard, provider, clock, asked } = await makeFixture(t);
  const g = guard();
  await g.ready();
  provider.fault("introspection", { latencyMs: 300 });
  const token = provider.token();
  const gone = new AbortController();
  const call = g.validate(token, { signal: gone.signal });
  await clock.advance(100);
  gone.abort(new Error("gone"));
  await assert.rejects(call, /gone/);
  await clock.advance(200);
  const verdict = await g.validate(token);
  assert.ok(verdict.status === "valid" && verdict.from === "memory");
  assert.equal(asked.length, 1);
});

test("law 6: the authority is not asked about forged, malformed, expired or foreign tokens", async (t) => {
  const { guard, provider, clock, asked } = await makeFixture(t);
  const g = guard({ degraded: "local" }, { opaque: false });
  await g.ready();
  const good = provider.token();
  const [header = "", payload = "", signature = ""] = good.split(".");
  const forged = `${signature.startsWith("A") ? "B" : "A"}${signature.slice(1)}`;
  const claims = Buffer.from(JSON.stringify({ iss: provider.issuer, sub: "admin" })).toString("base64url");
  const bad = [
    [`${header}.${payload}.${forged}`, "invalid: bad_signature"],
    [`${header}.${claims}.${signature}`, "invalid: bad_signature"],
    [provider.token({ exp: clock.now() / 1000 - 60 }), "invalid: expired"],
    [provider.token({ nbf: clock.now() / 1000 + 60 }), "invalid: not_yet_valid"],
    [provider.token({ aud: "https://other.example" }), "invalid: wrong_audience"],
    [provider.token({ iss: "https://other.example" }), "invalid: wrong_issuer"],
    [provider.token({ cnf: { jkt: "x" } }), "invalid: sender_constrained"],
    ["garbage", "invalid: malformed"],
    ["a".repeat(20_000), "invalid: too_large"],
    [provider.opaqueToken(), "invalid: malformed"],
  ] as const;
  for (const isOut of [false, true]) {
    if (isOut) provider.fault("introspection", { refuse: true });
    for (const [token, expected] of bad) assert.equal(describeDecision(await g.validate(token)), expected);
  }
  assert.deepEqual(asked, []);
});

test("fault 31: a thousand forged and guessed tokens during an outage do not affect good tokens", async (t) => {
  const { guard, provider, asked } = await makeFixture(t);
  const g = guard({ degraded: "local" }, { opaque: /^opaque_[\w-]{32}$/ });
  await g.ready();
  const good = provider.token();
  assert.equal(describeDecision(await g.validate(good)), "valid");
  provider.fault("introspection", { refuse: true });
  const [header, payload] = good.split(".");
  for (let i = 0; i < 1_000; i++) {
    const signature = Buffer.alloc(64, `${i}-`).toString("base64url");
    assert.equal(
      describeDecision(await g.validate(`${header}.${payload}.${signature}`)),
      "invalid: bad_signature",
    );
    assert.equal(describeDecision(await g.validate(`guess-${i}`.padEnd(40, "x"))), "invalid: malformed");
  }
  assert.deepEqual(asked, [good]);
  const verdict = await g.validate(good);
  assert.ok(verdict.status === "valid" && verdict.from === "memory");
});
