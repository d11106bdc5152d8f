import assert from "node:assert/strict";
import { test } from "node:test";
import { staticKeys } from "../../../src/index.ts";
import { counting } from "../fixture.ts";
import { letIn, makeWorld, short, within } from "./fixture.ts";

for (const mode of ["deny", "cached", "local"] as const) {
  test(`fault 32: under ${mode}, 5,000 callers with one cold token: one proof, one question, one abort fails one`, async (t) => {
    const { guard, provider, clock, asked } = await makeWorld(t);
    const { keys, lookups } = counting(staticKeys(provider.jwks()));
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
      one.status === "fulfilled" ? short(one.value) : (one.reason as Error).message,
    );
    assert.equal(outcomes[0], "gone");
    assert.ok(
      outcomes.slice(1).every((outcome, i) => outcome === ((i + 1) % 2 === 0 ? "valid" : "forbidden")),
    );
    assert.deepEqual([asked.length, lookups()], [1, 1]);
  });
}

test("fault 32: 5,000 callers with one opaque token: one question", async (t) => {
  const { guard, provider, clock, asked } = await makeWorld(t);
  const g = guard();
  provider.fault("introspection", { latencyMs: 50 });
  const token = provider.opaqueToken();
  const calls = Array.from({ length: 5_000 }, async () => await g.validate(token));
  await clock.advance(50);
  assert.ok((await Promise.all(calls)).every(({ status }) => status === "valid"));
  assert.equal(asked.length, 1);
});

test("law 7: callers of one question, each with a policy of its own: who may do without waits shorter", async (t) => {
  const { guard, provider, clock, asked } = await makeWorld(t);
  const g = guard({ degraded: "local" });
  await g.ready();
  provider.fault("introspection", { latencyMs: 300 });
  const token = provider.token();
  const strict = g.authorize(token, { degraded: "deny" });
  const lax = g.authorize(token);
  assert.equal(short(await within(clock, 100, lax)), letIn);
  const latecomer = g.authorize(token);
  assert.equal(short(await within(clock, 0, latecomer)), letIn, "patience is over for all of them");
  assert.equal(short(await within(clock, 0, strict)), "pending");
  assert.equal(short(await within(clock, 200, strict)), "valid");
  assert.equal(short(await g.authorize(token)), "valid");
  assert.equal(asked.length, 1);
});

test("law 7: a caller that has gone leaves the question alone: its answer is remembered", async (t) => {
  const { guard, provider, clock, asked } = await makeWorld(t);
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

test("law 6: forgeries, garbage, expired and revoked tokens and those of strangers are never asked about", async (t) => {
  const { guard, provider, clock, asked } = await makeWorld(t);
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
    for (const [token, expected] of bad) assert.equal(short(await g.validate(token)), expected);
  }
  assert.deepEqual(asked, []);
});

test("fault 31: a thousand forgeries and guesses during an outage leave good tokens alone", async (t) => {
  const { guard, provider, asked } = await makeWorld(t);
  const g = guard({ degraded: "local" }, { opaque: /^opaque_[\w-]{32}$/ });
  await g.ready();
  const good = provider.token();
  assert.equal(short(await g.validate(good)), "valid");
  provider.fault("introspection", { refuse: true });
  const [header, payload] = good.split(".");
  for (let i = 0; i < 1_000; i++) {
    const signature = Buffer.alloc(64, `${i}-`).toString("base64url");
    assert.equal(short(await g.validate(`${header}.${payload}.${signature}`)), "invalid: bad_signature");
    assert.equal(short(await g.validate(`guess-${i}`.padEnd(40, "x"))), "invalid: malformed");
  }
  assert.deepEqual(asked, [good]);
  const verdict = await g.validate(good);
  assert.ok(verdict.status === "valid" && verdict.from === "memory");
});
