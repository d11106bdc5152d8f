import assert from "node:assert/strict";
import { test } from "node:test";
import { createGuard, staticKeys } from "../../../src/index.ts";
import { audience, hour, letIn, makeWorld, minute, out, short } from "./fixture.ts";

test("fault 34: during an outage a jump ahead is 503 for what only one clock calls expired, and 401 once it is believed", async (t) => {
  const { guard, provider, clock, events } = await makeWorld(t, hour);
  const g = guard({ degraded: { mode: "local", maxMs: 24 * hour } });
  const token = provider.token();
  provider.fault("introspection", { refuse: true });
  assert.equal(short(await g.validate(token)), letIn);
  clock.setWall(clock.now() + 2 * hour);
  assert.equal(short(await g.validate(token)), "unavailable: clock_uncertain");
  assert.equal(g.status().clockSteppedMs, 2 * hour);
  await clock.advance(minute);
  assert.equal(short(await g.validate(token)), "invalid: expired");
  assert.ok(events().includes("clock_stepped"));
});

test("fault 34: a jump that was taken back is no reason to believe the next one at once", async (t) => {
  const { provider, clock, events } = await makeWorld(t, hour);
  const keys = staticKeys(provider.jwks());
  const g = createGuard({ issuer: provider.issuer, audience, keys, clock, name: t.name });
  const token = provider.token();
  for (let jump = 0; jump < 3; jump++) {
    assert.equal(short(await g.validate(token)), "valid");
    clock.setWall(clock.now() + 2 * hour);
    assert.equal(short(await g.validate(token)), "unavailable: clock_uncertain");
    clock.setWall(clock.now() - 2 * hour);
    assert.equal(short(await g.validate(token)), "valid");
    await clock.advance(2 * minute);
  }
  clock.setWall(clock.now() - 2 * hour);
  await g.validate(token);
  await clock.advance(2 * minute);
  clock.setWall(clock.now() + 4 * hour);
  assert.equal(short(await g.validate(token)), "unavailable: clock_uncertain");
  assert.deepEqual(
    events().filter((event) => event === "clock_stepped"),
    Array.from({ length: 5 }, () => "clock_stepped"),
  );
});

test("fault 34: a suspended machine does not stretch what bridges an outage", async (t) => {
  for (const mode of ["cached", "local"] as const) {
    await t.test(mode, async (tt) => {
      const { guard, provider, clock } = await makeWorld(tt);
      const g = guard({ degraded: { mode, maxMs: hour } });
      const token = provider.token();
      assert.equal(short(await g.validate(token)), "valid");
      provider.fault("introspection", { refuse: true });
      await clock.advance(6 * minute);
      assert.equal(short(await g.validate(token)), letIn);
      clock.suspend(50 * minute);
      assert.equal(short(await g.validate(token)), letIn);
      clock.suspend(10 * minute);
      assert.equal(short(await g.validate(token)), out);
    });
  }
});

test("fault 34: a wall clock that is set back does not stretch it either", async (t) => {
  const { guard, provider, clock } = await makeWorld(t);
  const g = guard({ degraded: { mode: "local", maxMs: hour } });
  const token = provider.token({ iat: 1 });
  provider.fault("introspection", { refuse: true });
  assert.equal(short(await g.validate(token)), letIn);
  for (let i = 0; i < 6; i++) {
    await clock.advance(10 * minute);
    clock.setWall(clock.now() - 10 * minute);
  }
  await clock.advance(1_000);
  assert.equal(short(await g.validate(token)), out);
});

test("fault 34: an answer remembered before a suspend is asked for again after it", async (t) => {
  const { guard, provider, clock, asked } = await makeWorld(t);
  const g = guard({ degraded: "local" });
  const token = provider.token();
  assert.equal(short(await g.validate(token)), "valid");
  clock.suspend(10 * minute);
  provider.revoke(token);
  assert.equal(short(await g.validate(token)), "invalid: revoked");
  assert.equal(asked.length, 2);
});

test("fault 35: a token that becomes valid during the outage is let in from then on, and not before", async (t) => {
  const { guard, provider, clock, asked } = await makeWorld(t);
  const g = guard({ degraded: "local", clockToleranceMs: 0 });
  await g.ready();
  provider.fault("introspection", { refuse: true });
  const token = provider.token({ nbf: clock.now() / 1000 + 60 });
  assert.equal(short(await g.validate(token)), "invalid: not_yet_valid");
  assert.deepEqual(asked, []);
  await clock.advance(minute);
  assert.equal(short(await g.validate(token)), letIn);
});
