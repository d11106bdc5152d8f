import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { readClock } from "../../src/core/clock.ts";
import { ClockMonitor } from "../../src/guard/pipeline/clock-monitor.ts";
import { reportServerDate, ServerClock } from "../../src/guard/server-date.ts";
import { createGuard, jwks, type Guard } from "../../src/index.ts";
import { createMint, FakeClock, type Mint } from "../../src/testing/index.ts";
import { audience, issuer, makeFixture } from "./fixture.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

async function describe(guard: Guard, token: string): Promise<string> {
  const decision = await guard.validate(token);
  if (decision.status === "unavailable") return `unavailable: ${decision.cause}`;
  return decision.status === "invalid" ? `invalid: ${decision.reason}` : decision.status;
}

/** A token that lives for 30 seconds and was issued at this time, in epoch milliseconds. */
function shortToken(mint: Mint, issuedAt: number): string {
  const iat = Math.floor(issuedAt / SECOND);
  return mint.token({ iat, exp: iat + 30 });
}

interface Remote {
  readonly clock: FakeClock;
  readonly mint: Mint;
  readonly guard: Guard;
  /** Makes the time of the issuer differ from that of the guard. */
  readonly setIssuerAhead: (ms: number) => void;
  readonly issuerNow: () => number;
}

/** A guard that fetches its keys every `freshMs`, from an issuer whose responses have the header Date. */
async function withRemoteIssuer(t: TestContext, freshMs: number = MINUTE): Promise<Remote> {
  const clock = new FakeClock();
  const mint = await createMint({ issuer, audience, clock });
  let aheadMs = 0;
  const issuerNow = () => clock.now() + aheadMs;
  const fetch = () => Response.json(mint.jwks(), { headers: { date: new Date(issuerNow()).toUTCString() } });
  const keys = jwks(`${issuer}/keys`, { fetch, freshMs });
  const guard = createGuard({ issuer, audience, keys, clock, random: () => 0.5, name: t.name });
  t.after(async () => await guard.close());
  await guard.ready();
  return { clock, mint, guard, issuerNow, setIssuerAhead: (ms) => (aheadMs = ms) };
}

test("law 2, fault 34: a step back revives no token that was issued and expired in the time that is repeated", async () => {
  const { guard: makeGuard, mint, clock } = await makeFixture();
  const guard = makeGuard();
  assert.equal(await describe(guard, mint.token()), "valid");
  const token = shortToken(mint, clock.now());
  await clock.advance(40 * SECOND);
  clock.setWall(clock.now() - MINUTE);
  for (let seconds = 0; seconds < 120; seconds++) {
    assert.notEqual(await describe(guard, token), "valid", `${seconds} seconds after the step`);
    await clock.advance(SECOND);
  }
});

test("law 1, fault 34: a small step ahead after a large step back refuses no token for a minute", async () => {
  const { guard: makeGuard, mint, clock } = await makeFixture();
  const guard = makeGuard();
  clock.setWall(clock.now() - HOUR);
  const iat = clock.now() / SECOND;
  const token = mint.token({ iat, exp: iat + 300 });
  assert.equal(await describe(guard, token), "unavailable: clock_uncertain");
  clock.setWall(clock.now() + 6 * MINUTE);
  for (let seconds = 0; seconds < 60; seconds++) {
    assert.equal(await describe(guard, token), "unavailable: clock_uncertain", `after ${seconds} seconds`);
    await clock.advance(SECOND);
  }
  assert.equal(await describe(guard, token), "invalid: expired");
});

test("fault 34: a token that was issued after the repeated time expires by the wall clock", async () => {
  const { guard: makeGuard, mint, clock } = await makeFixture();
  const guard = makeGuard();
  const before = clock.now();
  clock.setWall(before - MINUTE);
  assert.equal(await describe(guard, shortToken(mint, clock.now())), "unavailable: clock_uncertain");
  await clock.advance(MINUTE + 3 * SECOND);
  assert.equal(
    await describe(guard, shortToken(mint, clock.now())),
    "unavailable: clock_uncertain",
    "the clock of the issuer may be ahead by the tolerance",
  );
  await clock.advance(3 * SECOND);
  assert.equal(await describe(guard, shortToken(mint, clock.now())), "valid");
});

test("fault 34: five minutes after a long step back, tokens expire by the wall clock when no token has shown that it is wrong", async () => {
  const { guard: makeGuard, mint, clock } = await makeFixture();
  const guard = makeGuard();
  clock.setWall(clock.now() - HOUR);
  const early = shortToken(mint, clock.now());
  assert.equal(await describe(guard, early), "unavailable: clock_uncertain");
  await clock.advance(5 * MINUTE);
  assert.equal(await describe(guard, shortToken(mint, clock.now())), "unavailable: clock_uncertain");
  await clock.advance(6 * SECOND);
  assert.equal(await describe(guard, shortToken(mint, clock.now())), "valid");
});

test("fault 34: the date of an issuer's response shows that the clock was ahead before it was set back", async (t) => {
  const { clock, mint, guard, issuerNow, setIssuerAhead } = await withRemoteIssuer(t);
  clock.setWall(clock.now() + HOUR);
  setIssuerAhead(-HOUR);
  assert.equal(await describe(guard, shortToken(mint, issuerNow())), "unavailable: clock_uncertain");
  await clock.advance(2 * MINUTE);
  assert.equal(await describe(guard, shortToken(mint, issuerNow())), "invalid: expired");
  clock.setWall(clock.now() - HOUR);
  setIssuerAhead(0);
  assert.equal(await describe(guard, shortToken(mint, issuerNow())), "valid");
  await clock.advance(2 * MINUTE);
  assert.equal(await describe(guard, shortToken(mint, issuerNow())), "valid", "the next responses agree");
});

test("law 2, fault 34: a server that was set back together with the guard confirms no revived token", async (t) => {
  const { clock, mint, guard } = await withRemoteIssuer(t);
  const iat = clock.now() / SECOND;
  const token = mint.token({ iat, exp: iat + 600 });
  await clock.advance(15 * MINUTE);
  assert.equal(await describe(guard, token), "invalid: expired");
  clock.setWall(clock.now() - 12 * MINUTE);
  for (let seconds = 0; seconds < 600; seconds += 30) {
    assert.notEqual(await describe(guard, token), "valid", `${seconds} seconds after the step`);
    if (seconds === 300) clock.setWall(clock.now() - MINUTE);
    await clock.advance(30 * SECOND);
  }
});

test("law 2, fault 34: an issuer whose responses show the time before the step back refutes the wall clock for good", async (t) => {
  const { clock, mint, guard, setIssuerAhead } = await withRemoteIssuer(t);
  clock.setWall(clock.now() - HOUR);
  setIssuerAhead(HOUR);
  for (let minutes = 0; minutes < 20; minutes++) {
    const revived = shortToken(mint, clock.now());
    assert.equal(await describe(guard, revived), "unavailable: clock_uncertain", `after ${minutes} minutes`);
    await clock.advance(MINUTE);
  }
});

test("law 2, fault 34: a token that refuted a step back refutes the next one as well", async () => {
  const { guard: makeGuard, mint, clock } = await makeFixture();
  const guard = makeGuard();
  const before = clock.now();
  clock.setWall(before - HOUR);
  const fromFuture = shortToken(mint, before + 10 * SECOND);
  assert.equal(await describe(guard, fromFuture), "unavailable: clock_uncertain");
  clock.setWall(clock.now() - MINUTE);
  for (let minutes = 0; minutes < 20; minutes++) {
    const revived = shortToken(mint, clock.now());
    assert.equal(await describe(guard, revived), "unavailable: clock_uncertain", `after ${minutes} minutes`);
    await clock.advance(MINUTE);
  }
});

test("fault 34: a response shows the time for an hour, although two clocks drift apart by some seconds", async (t) => {
  const { clock, mint, guard, issuerNow, setIssuerAhead } = await withRemoteIssuer(t, 3 * HOUR);
  clock.setWall(clock.now() + HOUR);
  setIssuerAhead(-HOUR);
  assert.equal(await describe(guard, shortToken(mint, issuerNow())), "unavailable: clock_uncertain");
  await clock.advance(2 * MINUTE);
  assert.equal(await describe(guard, shortToken(mint, issuerNow())), "invalid: expired");
  guard.distrustKeys();
  await clock.advance(HOUR);
  assert.equal(await describe(guard, shortToken(mint, clock.now())), "valid", "the clock ahead is believed");
  clock.setWall(clock.now() - HOUR + 7 * SECOND);
  assert.equal(await describe(guard, shortToken(mint, clock.now())), "valid");
});

test("fault 34: a response from before a step back does not show that the clock of the issuer stayed", async (t) => {
  const { clock, mint, guard } = await withRemoteIssuer(t, 3 * HOUR);
  clock.setWall(clock.now() - MINUTE);
  assert.equal(await describe(guard, shortToken(mint, clock.now())), "unavailable: clock_uncertain");
  await clock.advance(MINUTE + 6 * SECOND);
  assert.equal(await describe(guard, shortToken(mint, clock.now())), "valid");
});

test("law 2, fault 34: a response from before a suspend does not confirm a clock that was set back by the same time", async (t) => {
  const { clock, mint, guard } = await withRemoteIssuer(t, HOUR);
  clock.suspend(40 * SECOND);
  const token = shortToken(mint, clock.now());
  assert.equal(await describe(guard, token), "valid");
  await clock.advance(MINUTE);
  assert.equal(await describe(guard, token), "invalid: expired");
  clock.setWall(clock.now() - 40 * SECOND);
  assert.equal(await describe(guard, token), "unavailable: clock_uncertain");
});

test("law 2, fault 34: a response that was on its way in a suspend does not confirm a clock that was set back", async () => {
  const clock = new FakeClock();
  const monitor = new ClockMonitor(clock, 5 * SECOND, () => {});
  const serverClock = new ServerClock();
  const context = { clock, onServerDate: serverClock.record };
  const isConfirmed = () =>
    monitor.isIssuedAfterStep(clock.now() / SECOND, { serverClock }, readClock(clock));
  const observe = () => monitor.steppedMs(readClock(clock));
  const respond = (sentAt: number, date: number) =>
    reportServerDate(
      context,
      { status: 200, headers: new Headers({ date: new Date(date).toUTCString() }), json: {} },
      sentAt,
    );
  const [sentAt, date] = [clock.monotonic(), clock.now()];
  clock.suspend(MINUTE);
  assert.equal(observe(), MINUTE);
  await clock.advance(SECOND);
  respond(sentAt, date);
  await clock.advance(MINUTE);
  assert.equal(observe(), 0, "the time after the suspend is believed");
  clock.setWall(clock.now() - MINUTE);
  assert.equal(observe(), -MINUTE);
  assert.equal(isConfirmed(), false);
  respond(clock.monotonic(), clock.now());
  assert.equal(isConfirmed(), false, "no response since the suspend shows that the clock was ahead");
});
