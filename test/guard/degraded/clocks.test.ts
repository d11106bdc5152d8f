import assert from "node:assert/strict";
import { test } from "node:test";
import { createGuard, staticKeys } from "../../../src/index.ts";
import { createMint, FakeClock } from "../../../src/testing/index.ts";
import {
  audience,
  hour,
  degradedVerdict,
  makeFixture,
  minute,
  noAnswer,
  describeDecision,
} from "./fixture.ts";

test("fault 34: after a forward step in an outage, a token that only the wall clock calls expired is unavailable, then invalid after a minute", async (t) => {
  const { guard, provider, clock, events } = await makeFixture(t, hour);
  const g = guard({ degraded: { mode: "local", maxMs: 24 * hour } });
  const token = provider.token();
  provider.fault("introspection", { refuse: true });
  assert.equal(describeDecision(await g.validate(token)), degradedVerdict);
  clock.setWall(clock.now() + 2 * hour);
  assert.equal(describeDecision(await g.validate(token)), "unavailable: clock_uncertain");
  assert.equal(g.status().clockSteppedMs, 2 * hour);
  await clock.advance(20_000);
  const later = await g.validate(token);
  assert.equal(later.status === "unavailable" && later.retryAfterMs, 40_000, "the rest of the minute");
  await clock.advance(40_000);
  assert.equal(describeDecision(await g.validate(token)), "invalid: expired");
  assert.ok(events().includes("clock_stepped"));
});

test("fault 34: a step that was taken back does not shorten the wait after the next step", async (t) => {
  const { provider, clock, events } = await makeFixture(t, hour);
  const keys = staticKeys(provider.jwks());
  const g = createGuard({ issuer: provider.issuer, audience, keys, clock, name: t.name });
  const token = provider.token();
  for (let jump = 0; jump < 3; jump++) {
    assert.equal(describeDecision(await g.validate(token)), "valid");
    clock.setWall(clock.now() + 2 * hour);
    assert.equal(describeDecision(await g.validate(token)), "unavailable: clock_uncertain");
    clock.setWall(clock.now() - 2 * hour);
    assert.equal(describeDecision(await g.validate(token)), "valid");
    await clock.advance(2 * minute);
  }
  clock.setWall(clock.now() - 2 * hour);
  await g.validate(token);
  await clock.advance(2 * minute);
  clock.setWall(clock.now() + 4 * hour);
  assert.equal(describeDecision(await g.validate(token)), "unavailable: clock_uncertain");
  assert.deepEqual(
    events().filter((event) => event === "clock_stepped"),
    Array.from({ length: 5 }, () => "clock_stepped"),
  );
});

test("fault 34: a suspended machine does not extend the degraded bound", async (t) => {
  for (const mode of ["cached", "local"] as const) {
    await t.test(mode, async (tt) => {
      const { guard, provider, clock } = await makeFixture(tt);
      const g = guard({ degraded: { mode, maxMs: hour } });
      const token = provider.token();
      assert.equal(describeDecision(await g.validate(token)), "valid");
      provider.fault("introspection", { refuse: true });
      await clock.advance(6 * minute);
      assert.equal(describeDecision(await g.validate(token)), degradedVerdict);
      clock.suspend(50 * minute);
      assert.equal(describeDecision(await g.validate(token)), degradedVerdict);
      clock.suspend(10 * minute);
      assert.equal(describeDecision(await g.validate(token)), noAnswer);
    });
  }
});

test("fault 34: a wall clock that is set back does not extend the degraded bound", async (t) => {
  const { guard, provider, clock } = await makeFixture(t);
  const g = guard({ degraded: { mode: "local", maxMs: hour } });
  const token = provider.token({ iat: 1 });
  provider.fault("introspection", { refuse: true });
  assert.equal(describeDecision(await g.validate(token)), degradedVerdict);
  for (let i = 0; i < 6; i++) {
    await clock.advance(10 * minute);
    clock.setWall(clock.now() - 10 * minute);
  }
  await clock.advance(1_000);
  assert.equal(describeDecision(await g.validate(token)), noAnswer);
});

test("fault 34: an answer from before a suspend is asked for again", async (t) => {
  const { guard, provider, clock, asked } = await makeFixture(t);
  const g = guard({ degraded: "local" });
  const token = provider.token();
  assert.equal(describeDecision(await g.validate(token)), "valid");
  clock.suspend(10 * minute);
  provider.revoke(token);
  assert.equal(describeDecision(await g.validate(token)), "invalid: revoked");
  assert.equal(asked.length, 2);
});

test("fault 35: a token that becomes valid during the outage is accepted from its nbf on", async (t) => {
  const { guard, provider, clock, asked } = await makeFixture(t);
  const g = guard({ degraded: "local", clockToleranceMs: 0 });
  await g.ready();
  provider.fault("introspection", { refuse: true });
  const token = provider.token({ nbf: clock.now() / 1000 + 60 });
  assert.equal(describeDecision(await g.validate(token)), "invalid: not_yet_valid");
  assert.deepEqual(asked, []);
  await clock.advance(minute);
  assert.equal(describeDecision(await g.validate(token)), degradedVerdict);
});

test("law 9, fault 34: after a step back, a token of one issuer casts no doubt on the tokens of another", async (t) => {
  const clock = new FakeClock();
  const [right, wrong] = await Promise.all(
    ["https://right.example", "https://wrong.example"].map(
      async (issuer) => await createMint({ issuer, audience, clock }),
    ),
  );
  assert.ok(right && wrong);
  const issuers = [right, wrong].map((mint) => ({
    issuer: mint.issuer,
    audience,
    keys: staticKeys(mint.jwks()),
  }));
  const g = createGuard({ issuers, clock, name: t.name });
  assert.equal(describeDecision(await g.validate(right.token())), "valid");
  clock.setWall(clock.now() - hour);
  assert.equal(describeDecision(await g.validate(right.token())), "unavailable: clock_uncertain");
  await clock.advance(306_000);
  assert.equal(describeDecision(await g.validate(right.token())), "valid");
  const inThreeHours = (clock.now() + 3 * hour) / 1000;
  await g.validate(wrong.token({ iat: inThreeHours, exp: inThreeHours + 600 }));
  assert.equal(describeDecision(await g.validate(wrong.token())), "unavailable: clock_uncertain");
  assert.equal(describeDecision(await g.validate(right.token())), "valid");
});
