import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryStore } from "../../../src/stores/memory.ts";
import { hour, letIn, makeWorld, minute, out, short, within } from "./fixture.ts";

/** The same signature, otherwise: r and n − s instead of s. */
function twin(token: string): string {
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
  test(`law 3: the authority's no to a token with ${what} holds while it is out, for the token's twin too`, async (t) => {
    const { guard, provider, says, asked } = await makeWorld(t);
    const g = guard({ degraded: "local" });
    const token = provider.token({ jti });
    says({ active: false });
    assert.equal(short(await g.validate(token)), "invalid: revoked");
    provider.fault("introspection", { refuse: true });
    for (const spelling of [token, twin(token)]) {
      assert.equal(short(await g.validate(spelling)), "invalid: revoked");
    }
    assert.deepEqual(asked, [token]);
  });
}

test("law 1: a no is about one token, also where a provider gives several the same jti", async (t) => {
  const { guard, provider, says } = await makeWorld(t);
  const g = guard({ degraded: "local" });
  const [earlier, later] = [1, 2].map((iat) => provider.token({ jti: "the grant", iat })) as [string, string];
  says((token) => ({ active: token === later }));
  assert.equal(short(await g.validate(earlier)), "invalid: revoked");
  assert.equal(short(await g.validate(later)), "valid");
});

test("law 3: a no is never evicted, however much is validated after it", async (t) => {
  const { guard, provider } = await makeWorld(t);
  const g = guard({ degraded: "local", memory: { maxBytes: 10_000 } });
  const token = provider.token();
  provider.revoke(token);
  assert.equal(short(await g.validate(token)), "invalid: revoked");
  for (let i = 0; i < 100; i++) await g.validate(provider.token());
  provider.fault("introspection", { refuse: true });
  assert.equal(short(await g.validate(token)), "invalid: revoked");
  assert.equal(short(await g.validate(provider.token())), letIn);
});

test("law 3: where there is no room for a no, nothing is let in until that token has ended by itself", async (t) => {
  const { guard, provider, clock } = await makeWorld(t, 30 * 24 * hour);
  const g = guard({ degraded: "local", maxRevocations: 1 });
  for (let i = 0; i < 2; i++) {
    const refused = provider.token({ exp: clock.now() / 1000 + 600 });
    provider.revoke(refused);
    assert.equal(short(await g.validate(refused)), "invalid: revoked");
  }
  const good = provider.token();
  provider.fault("introspection", { refuse: true });
  assert.equal(short(await g.validate(good)), out);
  provider.restore();
  await clock.advance(3 * hour);
  provider.fault("introspection", { refuse: true });
  assert.equal(short(await g.validate(good)), letIn);
});

test("law 3: an end that the authority put before the token's own holds while it is out", async (t) => {
  const { guard, provider, clock, says } = await makeWorld(t);
  const g = guard({ degraded: "local" });
  const token = provider.token();
  says({ active: true, exp: clock.now() / 1000 + 600 });
  const verdict = await g.validate(token);
  assert.ok(verdict.status === "valid" && verdict.expiresAt === clock.now() + 600_000);
  provider.fault("introspection", { refuse: true });
  await clock.advance(11 * minute);
  for (let i = 0; i < 10; i++) {
    assert.equal(short(await g.validate(token)), "invalid: expired");
    await clock.advance(hour / 2);
  }
});

test("law 3: a no holds for the token's own life, whatever end the authority named before", async (t) => {
  const { guard, provider, clock, says } = await makeWorld(t);
  const g = guard({ degraded: { mode: "local", maxMs: 24 * hour }, maxRevocations: 1_200 });
  const token = provider.token();
  says({ active: true, exp: clock.now() / 1000 + 600 });
  assert.equal(short(await g.validate(token)), "valid");
  await clock.advance(6 * minute);
  says({ active: false });
  assert.equal(short(await g.validate(token)), "invalid: revoked");
  await clock.advance(4 * hour);
  // Enough to make the view look for room.
  for (let i = 0; i < 1_100; i++) await g.validate(provider.token());
  provider.fault("introspection", { refuse: true });
  assert.equal(short(await g.validate(token)), "invalid: revoked");
});

test("fault 34: a clock that is ahead for a moment does not make room at the cost of what was refused", async (t) => {
  const { guard, provider, clock, says } = await makeWorld(t);
  const g = guard({ degraded: "local" });
  const token = provider.token({ exp: clock.now() / 1000 + 600 });
  says({ active: false });
  assert.equal(short(await g.validate(token)), "invalid: revoked");
  for (let i = 0; i < 998; i++) await g.validate(provider.token());
  clock.setWall(clock.now() + 6 * hour);
  for (let i = 0; i < 10; i++) await g.validate(provider.token({ iat: 1 }));
  clock.setWall(clock.now() - 6 * hour);
  provider.fault("introspection", { refuse: true });
  assert.equal(short(await g.validate(token)), "invalid: revoked");
});

test("fault 25: a late no revokes what was let in, and is told once", async (t) => {
  const { guard, provider, clock, events } = await makeWorld(t);
  const g = guard({ degraded: "local" });
  await g.ready();
  const token = provider.token();
  provider.revoke(token);
  provider.fault("introspection", { latencyMs: 500 });
  assert.equal(short(await within(clock, 100, g.validate(token))), letIn);
  await clock.advance(500);
  assert.equal(short(await g.validate(token)), "invalid: revoked");
  assert.equal(short(await g.validate(token)), "invalid: revoked");
  assert.deepEqual(
    events().filter((event) => event === "late_no"),
    ["late_no"],
  );
});

test("a no is late only where the token had been let in", async (t) => {
  const { guard, provider, events } = await makeWorld(t);
  const g = guard({ degraded: "cached" });
  const token = provider.token();
  provider.fault("introspection", { refuse: true, times: 2 });
  assert.equal(short(await g.validate(token)), out);
  provider.revoke(token);
  provider.restore();
  assert.equal(short(await g.validate(token)), "invalid: revoked");
  assert.ok(!events().includes("late_no"));
});

test("an opaque token that was let in by an earlier yes: a no is late too, and the earlier yes counts no more", async (t) => {
  const { guard, provider, clock, events } = await makeWorld(t);
  const g = guard({ degraded: "cached" });
  const token = provider.opaqueToken({ exp: clock.now() / 1000 + 86_400 });
  assert.equal(short(await g.validate(token)), "valid");
  await clock.advance(6 * minute);
  provider.fault("introspection", { refuse: true });
  assert.equal(short(await g.validate(token)), letIn);
  provider.restore();
  provider.revoke(token);
  assert.equal(short(await g.validate(token)), "invalid: inactive");
  assert.ok(events().includes("late_no"));
  provider.fault("introspection", { refuse: true });
  await clock.advance(minute);
  assert.equal(short(await g.validate(token)), out);
});

test("law 3: a token, session, subject or key revoked in the log during the outage is refused at once", async (t) => {
  for (const kind of ["token", "session", "subject", "key"] as const) {
    await t.test(kind, async (tt) => {
      const { guard, provider, clock } = await makeWorld(tt);
      const { revocations } = memoryStore({ clock });
      const g = guard({ degraded: "local", revocations });
      await g.ready();
      provider.fault("introspection", { refuse: true });
      const token = provider.token({ jti: "t1", sid: "s1", sub: "alice" });
      assert.equal(short(await g.validate(token)), letIn);
      const id = { token: "t1", session: "s1", subject: "alice", key: provider.kid }[kind];
      const until = clock.now() + 25 * hour;
      const before = clock.now() / 1000;
      await revocations.append({
        issuer: provider.issuer,
        id,
        until,
        ...(kind === "subject" ? { kind, before } : { kind }),
      });
      assert.equal(short(await g.validate(token)), "invalid: revoked");
      assert.equal(short(await g.validate(twin(token))), "invalid: revoked");
    });
  }
});

test("law 3: while the log is out too, tokens are let in until the view is older than its bound, and none after it", async (t) => {
  const { guard, provider, clock } = await makeWorld(t);
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
  assert.equal(short(verdict), letIn);
  assert.ok(verdict.status === "valid" && (verdict.revocationAgeMs ?? 0) >= 9 * minute - 1_000);
  const narrow = await g.authorize(provider.token(), { maxRevocationAgeMs: minute });
  assert.equal(short(narrow), "unavailable: revocations_stale");
  await clock.advance(minute + 1_000);
  assert.equal(short(await g.validate(provider.token())), "unavailable: revocations_stale");
});
