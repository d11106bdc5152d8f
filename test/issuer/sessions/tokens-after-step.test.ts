import assert from "node:assert/strict";
import { test } from "node:test";
import { TokensAfterStep } from "../../../src/issuer/sessions/tokens-after-step.ts";
import { FakeClock } from "../../../src/testing/index.ts";

const HOUR_MS = 3_600_000;

test("fault 34: an issuer knows the tokens that it issued after its clock was set back, and no others", () => {
  const clock = new FakeClock();
  const tokens = new TokensAfterStep(clock);
  tokens.record("before");
  clock.setWall(clock.now() - HOUR_MS);
  tokens.record("after");
  assert.equal(tokens.has({ jti: "before" }), false);
  assert.equal(tokens.has({ jti: "after" }), true);
  assert.equal(tokens.has({}), false);
  clock.setWall(clock.now() + HOUR_MS);
  tokens.record("later");
  assert.deepEqual(
    ["after", "later"].map((jti) => tokens.has({ jti })),
    [false, false],
    "the step was taken back",
  );
});

test("law 2, fault 34: a token from between two steps back was not issued after the second one", () => {
  const clock = new FakeClock();
  const tokens = new TokensAfterStep(clock);
  clock.setWall(clock.now() + HOUR_MS);
  tokens.record("ahead");
  clock.setWall(clock.now() - HOUR_MS);
  tokens.record("between");
  assert.equal(tokens.has({ jti: "between" }), true);
  clock.setWall(clock.now() - HOUR_MS);
  assert.equal(tokens.has({ jti: "between" }), false);
  tokens.record("after");
  assert.deepEqual(
    ["between", "after"].map((jti) => tokens.has({ jti })),
    [false, true],
  );
});

test("law 2, fault 34: a token that a suspend made expire is not believed when the clock goes back by the same time", () => {
  const clock = new FakeClock();
  const tokens = new TokensAfterStep(clock);
  clock.setWall(clock.now() - 3 * HOUR_MS);
  tokens.record("before the suspend");
  clock.suspend(2 * HOUR_MS);
  assert.equal(tokens.has({ jti: "before the suspend" }), true);
  clock.setWall(clock.now() - 2 * HOUR_MS);
  tokens.record("after it");
  assert.deepEqual(
    ["before the suspend", "after it"].map((jti) => tokens.has({ jti })),
    [false, true],
  );
});

test("an issuer takes drift and a suspend for no step back", async () => {
  const clock = new FakeClock();
  const tokens = new TokensAfterStep(clock);
  for (let count = 0; count < 10; count++) {
    clock.setWall(clock.now() - 500);
    clock.suspend(100);
    tokens.record(`drift ${count}`);
    assert.equal(tokens.has({ jti: `drift ${count}` }), false);
    await clock.advance(1_000);
  }
});

test("an issuer remembers the newest 10,000 tokens after a step back", () => {
  const clock = new FakeClock();
  const tokens = new TokensAfterStep(clock);
  clock.setWall(clock.now() - HOUR_MS);
  for (let count = 0; count <= 10_000; count++) tokens.record(String(count));
  assert.deepEqual(
    ["0", "1", "10000"].map((jti) => tokens.has({ jti })),
    [false, true, true],
  );
});
