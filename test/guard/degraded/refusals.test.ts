import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryStore } from "../../../src/stores/memory.ts";
import {
  hour,
  degradedVerdict,
  makeFixture,
  minute,
  noAnswer,
  describeDecision,
  settleWithin,
} from "./fixture.ts";

/** The token with the other spelling of its ECDSA signature: n − s instead of s. */
function otherSpelling(token: string): string {
  const [header, payload, signature = ""] = token.split(".");
  const bytes = Buffer.from(signature, "base64url");
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const s = order - BigInt(`0x${bytes.subarray(32).toString("hex")}`);
  bytes.set(Buffer.from(s.toString(16).padStart(64, "0"), "hex"), 32);
  return `${header}.${payload}.${bytes.toString("base64url")}`;
}

for (const [what, jti] of [
  ["a jti", "an id"],
  ["no jti", undefined],
  ["an empty jti", ""],
  ["a jti longer than any entry of a log may have", "x".repeat(2_000)],
] as const) {
  test(`law 3: the authority's no to a token with ${what} holds during an outage, also for the other spelling of its signature`, async (t) => {
    const { guard, provider, respondWith, asked } = await makeFixture(t);
    const g = guard({ degraded: "local" });
    const token = provider.token({ jti });
    respondWith({ active: false });
    assert.equal(describeDecision(await g.validate(token)), "invalid: revoked");
    provider.fault("introspection", { refuse: true });
    for (const spelling of [token, otherSpelling(token)]) {
      assert.equal(describeDecision(await g.validate(spelling)), "invalid: revoked");
    }
    assert.deepEqual(asked, [token]);
  });
}

test("law 1: a no concerns one token, also when several tokens have the same jti", async (t) => {
  const { guard, provider, respondWith } = await makeFixture(t);
  const g = guard({ degraded: "local" });
  const [earlier, later] = [1, 2].map((iat) => provider.token({ jti: "the grant", iat })) as [string, string];
  respondWith((token) => ({ active: token === later }));
  assert.equal(describeDecision(await g.validate(earlier)), "invalid: revoked");
  assert.equal(describeDecision(await g.validate(later)), "valid");
});

test("law 3: a no is never evicted by later tokens", async (t) => {
  const { guard, provider } = await makeFixture(t);
  const g = guard({ degraded: "local", memory: { maxBytes: 10_000 } });
  const token = provider.token();
  provider.revoke(token);
  assert.equal(describeDecision(await g.validate(token)), "invalid: revoked");
  for (let i = 0; i < 100; i++) await g.validate(provider.token());
  provider.fault("introspection", { refuse: true });
  assert.equal(describeDecision(await g.validate(token)), "invalid: revoked");
  assert.equal(describeDecision(await g.validate(provider.token())), degradedVerdict);
});

test("law 3: when the view has no room for a no, the guard accepts no token in degraded mode until that token expires", async (t) => {
  const { guard, provider, clock } = await makeFixture(t, 30 * 24 * hour);
  const g = guard({ degraded: "local", maxRevocations: 1 });
  for (let i = 0; i < 2; i++) {
    const refused = provider.token({ exp: clock.now() / 1000 + 600 });
    provider.revoke(refused);
    assert.equal(describeDecision(await g.validate(refused)), "invalid: revoked");
  }
  const good = provider.token();
  provider.fault("introspection", { refuse: true });
  assert.equal(describeDecision(await g.validate(good)), noAnswer);
  provider.restore();
  await clock.advance(3 * hour);
  provider.fault("introspection", { refuse: true });
  assert.equal(describeDecision(await g.validate(good)), degradedVerdict);
});

test("a token that the authority refuses is expired from its exp on, so that its client refreshes it", async (t) => {
  const { guard, provider, clock, respondWith } = await makeFixture(t);
  const g = guard({ clockToleranceMs: 60_000 });
  const exp = clock.now() / 1000 + 100;
  const [early, late] = [provider.token({ exp, jti: "early" }), provider.token({ exp, jti: "late" })];
  respondWith({ active: false });
  await clock.advance(99_999);
  assert.equal(describeDecision(await g.validate(early)), "invalid: revoked");
  assert.equal(describeDecision(await g.validate(early)), "invalid: revoked");
  await clock.advance(1);
  assert.equal(describeDecision(await g.validate(late)), "invalid: expired");
  assert.equal(describeDecision(await g.validate(early)), "invalid: expired");
});

test("law 3: an earlier expiry from the authority holds during an outage", async (t) => {
  const { guard, provider, clock, respondWith } = await makeFixture(t);
  const g = guard({ degraded: "local" });
  const token = provider.token();
  respondWith({ active: true, exp: clock.now() / 1000 + 600 });
  const verdict = await g.validate(token);
  assert.ok(verdict.status === "valid" && verdict.expiresAt === clock.now() + 600_000);
  provider.fault("introspection", { refuse: true });
  await clock.advance(11 * minute);
  for (let i = 0; i < 10; i++) {
    assert.equal(describeDecision(await g.validate(token)), "invalid: expired");
    await clock.advance(hour / 2);
  }
});

test("law 3: a no holds until the token's own exp, although the authority named an earlier one", async (t) => {
  const { guard, provider, clock, respondWith } = await makeFixture(t);
  const g = guard({ degraded: { mode: "local", maxMs: 24 * hour }, maxRevocations: 1_200 });
  const token = provider.token();
  respondWith({ active: true, exp: clock.now() / 1000 + 600 });
  assert.equal(describeDecision(await g.validate(token)), "valid");
  await clock.advance(6 * minute);
  respondWith({ active: false });
  assert.equal(describeDecision(await g.validate(token)), "invalid: revoked");
  await clock.advance(4 * hour);
  // So many entries make the view prune.
  for (let i = 0; i < 1_100; i++) await g.validate(provider.token());
  provider.fault("introspection", { refuse: true });
  assert.equal(describeDecision(await g.validate(token)), "invalid: revoked");
});

test("fault 34: a clock that is ahead for a moment does not prune denials", async (t) => {
  const { guard, provider, clock, respondWith } = await makeFixture(t);
  const g = guard({ degraded: "local" });
  const token = provider.token({ exp: clock.now() / 1000 + 600 });
  respondWith({ active: false });
  assert.equal(describeDecision(await g.validate(token)), "invalid: revoked");
  for (let i = 0; i < 8; i++) await g.validate(provider.token());
  clock.setWall(clock.now() + 6 * hour);
  for (let i = 0; i < 10; i++) await g.validate(provider.token({ iat: 1 }));
  clock.setWall(clock.now() - 6 * hour);
  provider.fault("introspection", { refuse: true });
  assert.equal(describeDecision(await g.validate(token)), "invalid: revoked");
});

test("fault 34: a clock that is set back in small steps does not revive a refused token", async (t) => {
  const { guard, provider, clock, respondWith } = await makeFixture(t);
  const g = guard({ degraded: { mode: "local", maxMs: 24 * hour } });
  const token = provider.token({ exp: clock.now() / 1000 + 600 });
  respondWith({ active: false });
  assert.equal(describeDecision(await g.validate(token)), "invalid: revoked");
  await clock.advance(20 * minute);
  // Each no looks for revocations that are over.
  for (let i = 0; i < 10; i++) await g.validate(provider.token());
  // The guard takes each step for drift, and follows it.
  for (let i = 0; i < 700; i++) {
    clock.setWall(clock.now() - 900);
    g.status();
  }
  provider.fault("introspection", { refuse: true });
  assert.equal(describeDecision(await g.validate(token)), "invalid: revoked");
});

test("fault 34: a clock that is ahead does not end the time without degraded mode", async (t) => {
  const { guard, provider, clock } = await makeFixture(t, 30 * 24 * hour);
  const g = guard({ degraded: "local", maxRevocations: 1 });
  for (let i = 0; i < 2; i++) {
    const refused = provider.token({ exp: clock.now() / 1000 + 600 });
    provider.revoke(refused);
    assert.equal(describeDecision(await g.validate(refused)), "invalid: revoked");
  }
  const good = provider.token();
  provider.fault("introspection", { refuse: true });
  clock.setWall(clock.now() + 3 * hour);
  assert.equal(describeDecision(await g.validate(good)), noAnswer);
});

test("fault 25: a late no revokes a token from degraded mode, and emits one event", async (t) => {
  const { guard, provider, clock, events } = await makeFixture(t);
  const g = guard({ degraded: "local" });
  await g.ready();
  const token = provider.token();
  provider.revoke(token);
  provider.fault("introspection", { latencyMs: 500 });
  assert.equal(describeDecision(await settleWithin(clock, 100, g.validate(token))), degradedVerdict);
  await clock.advance(500);
  assert.equal(describeDecision(await g.validate(token)), "invalid: revoked");
  assert.equal(describeDecision(await g.validate(token)), "invalid: revoked");
  assert.deepEqual(
    events().filter((event) => event === "late_no"),
    ["late_no"],
  );
});

test("late_no is emitted only for tokens that were accepted", async (t) => {
  const { guard, provider, events } = await makeFixture(t);
  const g = guard({ degraded: "cached" });
  const token = provider.token();
  provider.fault("introspection", { refuse: true, times: 3 });
  assert.equal(describeDecision(await g.validate(token)), noAnswer);
  provider.revoke(token);
  provider.restore();
  assert.equal(describeDecision(await g.validate(token)), "invalid: revoked");
  assert.ok(!events().includes("late_no"));
});

test("a late no to an opaque token emits late_no and replaces the earlier yes", async (t) => {
  const { guard, provider, clock, events } = await makeFixture(t);
  const g = guard({ degraded: "cached" });
  const token = provider.opaqueToken({ exp: clock.now() / 1000 + 86_400 });
  assert.equal(describeDecision(await g.validate(token)), "valid");
  await clock.advance(6 * minute);
  provider.fault("introspection", { refuse: true });
  assert.equal(describeDecision(await g.validate(token)), degradedVerdict);
  provider.restore();
  provider.revoke(token);
  assert.equal(describeDecision(await g.validate(token)), "invalid: inactive");
  assert.ok(events().includes("late_no"));
  provider.fault("introspection", { refuse: true });
  await clock.advance(minute);
  assert.equal(describeDecision(await g.validate(token)), noAnswer);
});

test("law 3: a revocation of a token, session, subject or key in the log takes effect at once during an outage", async (t) => {
  for (const kind of ["token", "session", "subject", "key"] as const) {
    await t.test(kind, async (tt) => {
      const { guard, provider, clock } = await makeFixture(tt);
      const { revocations } = memoryStore({ clock });
      const g = guard({ degraded: "local", revocations });
      await g.ready();
      provider.fault("introspection", { refuse: true });
      const token = provider.token({ jti: "t1", sid: "s1", sub: "alice" });
      assert.equal(describeDecision(await g.validate(token)), degradedVerdict);
      const id = { token: "t1", session: "s1", subject: "alice", key: provider.kid }[kind];
      const until = clock.now() + 25 * hour;
      const before = clock.now() / 1000;
      await revocations.append({
        issuer: provider.issuer,
        id,
        until,
        ...(kind === "subject" ? { kind, before } : { kind }),
      });
      assert.equal(describeDecision(await g.validate(token)), "invalid: revoked");
      assert.equal(describeDecision(await g.validate(otherSpelling(token))), "invalid: revoked");
    });
  }
});

test("law 3: during an outage of the log, tokens are accepted until the view is older than its bound", async (t) => {
  const { guard, provider, clock } = await makeFixture(t);
  const { revocations } = memoryStore({ clock });
  let isOut = false;
  const after: typeof revocations.after = async (position) =>
    isOut ? await Promise.reject(new Error("out")) : await revocations.after(position);
  const snapshot: typeof revocations.snapshot = async () =>
    isOut ? await Promise.reject(new Error("out")) : await revocations.snapshot();
  const g = guard({
    degraded: { mode: "local", maxMs: hour },
    maxRevocationAgeMs: 10 * minute,
    revocations: { ...revocations, after, snapshot, subscribe: () => () => {} },
  });
  await g.ready();
  isOut = true;
  provider.fault("introspection", { refuse: true });
  await clock.advance(9 * minute);
  const verdict = await g.validate(provider.token());
  assert.equal(describeDecision(verdict), degradedVerdict);
  assert.ok(verdict.status === "valid" && (verdict.revocationAgeMs ?? 0) >= 9 * minute - 1_000);
  const narrow = await g.authorize(provider.token(), { maxRevocationAgeMs: minute });
  assert.equal(describeDecision(narrow), "unavailable: revocations_stale");
  await clock.advance(minute + 1_000);
  assert.equal(describeDecision(await g.validate(provider.token())), "unavailable: revocations_stale");
});
