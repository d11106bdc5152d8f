import assert from "node:assert/strict";
import { test } from "node:test";
import { jwks } from "../../src/index.ts";
import { makeFixture } from "./fixture.ts";

const HOUR = 3_600_000;

/** A guard that fetches its keys from a server whose clock is behind by so much. A cache may have kept the response. */
async function makeGuard(behindMs: number, cachedS = 0) {
  const { guard, mint, clock } = await makeFixture();
  const headers = () => ({
    date: new Date(clock.now() - behindMs - cachedS * 1_000).toUTCString(),
    ...(cachedS > 0 && { age: String(cachedS) }),
  });
  const fetch = () => Response.json(mint.jwks(), { headers: headers() });
  const guarded = guard({ keys: jwks("https://id.example/jwks", { fetch }) });
  const differenceMs = () => guarded.status().issuers[0]?.clockDifferenceMs ?? null;
  assert.equal(differenceMs(), null);
  await clock.advance(0);
  await guarded.ready();
  return { guarded, mint, clock, differenceMs };
}

test("status tells how far the clock is ahead of that of the issuer, or behind it", async () => {
  const near = async (behindMs: number, expected: number) => {
    const difference = (await makeGuard(behindMs)).differenceMs() ?? NaN;
    assert.ok(Math.abs(difference - expected) <= 2_000, `${difference} for ${behindMs}`);
  };
  await near(HOUR, HOUR);
  await near(-HOUR, -HOUR);
  await near(8_000, 8_000);
  assert.equal((await makeGuard(4_000)).differenceMs(), 0);
  assert.equal((await makeGuard(-4_000)).differenceMs(), 0);
});

test("a response from a cache tells no difference by its age", async () => {
  assert.equal((await makeGuard(0, 600)).differenceMs(), 0);
});

test("a difference ends when the clock is corrected, and a suspend of the machine makes none", async () => {
  const wrong = await makeGuard(HOUR);
  wrong.clock.setWall(wrong.clock.now() - HOUR);
  assert.equal(wrong.differenceMs(), 0);
  const suspended = await makeGuard(0);
  suspended.clock.suspend(HOUR);
  assert.equal(suspended.differenceMs(), 0);
});
