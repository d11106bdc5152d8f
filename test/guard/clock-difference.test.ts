import assert from "node:assert/strict";
import { test } from "node:test";
import { readClock } from "../../src/core/clock.ts";
import { reportServerDate, ServerClock } from "../../src/guard/server-date.ts";
import { introspection, jwks } from "../../src/index.ts";
import { FakeClock } from "../../src/testing/index.ts";
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

test("a response that was long on its way tells no difference", async () => {
  const clock = new FakeClock();
  const serverClock = new ServerClock();
  const [sentAt, date] = [clock.monotonic(), new Date(clock.now()).toUTCString()];
  await clock.advance(20_000);
  const response = { status: 200, headers: new Headers({ date }), json: {} };
  reportServerDate({ clock, onServerDate: serverClock.record }, response, sentAt);
  assert.equal(serverClock.differenceMs(readClock(clock)), 0);
});

test("an error response tells no time, because it may be from a proxy", async () => {
  const { guard, mint, clock } = await makeFixture();
  let status = 503;
  const fetch = () => {
    const date = new Date(clock.now() - HOUR).toUTCString();
    return Response.json(mint.jwks(), { status, headers: { date } });
  };
  const guarded = guard({ keys: jwks("https://id.example/jwks", { fetch }) });
  const validate = async () => {
    const validation = guarded.validate(mint.token());
    await clock.advance(60_000);
    return (await validation).status;
  };
  assert.equal(await validate(), "unavailable");
  assert.equal(guarded.status().issuers[0]?.clockDifferenceMs, null);
  status = 200;
  await validate();
  assert.equal(Math.round((guarded.status().issuers[0]?.clockDifferenceMs ?? NaN) / HOUR), 1);
  await guarded.close();
});

test("status tells the difference from the clock of an authority", async () => {
  const { guard, mint, clock } = await makeFixture();
  const headers = () => ({ date: new Date(clock.now() - HOUR).toUTCString() });
  const guarded = guard({
    authority: introspection({
      url: "https://id.example/introspect",
      clientId: "guard",
      clientSecret: "the secret of the guard",
      fetch: () => Response.json({ active: true }, { headers: headers() }),
    }),
  });
  assert.equal((await guarded.validate(mint.token())).status, "valid");
  assert.equal(Math.round((guarded.status().issuers[0]?.clockDifferenceMs ?? NaN) / HOUR), 1);
  await guarded.close();
});
