import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { test, type TestContext } from "node:test";
import { RevocationView } from "../../../src/guard/revocations/view.ts";
import type { Issuer } from "../../../src/issuer/types.ts";
import { memoryStore } from "../../../src/stores/memory.ts";
import type { Store } from "../../../src/stores/store.ts";
import { FakeClock } from "../../../src/testing/fake-clock.ts";
import {
  BASIC,
  bearerHeader,
  claimsOf,
  createFixture,
  ISSUER_URL,
  logIn,
  sendRequest,
  validateAtIssuer,
} from "../fixture.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Two processes on a store. The clock of `wrong` differs from that of the store and of `right`. */
async function withDifference(differenceMs: number): Promise<{
  readonly right: Issuer;
  readonly wrong: Issuer;
  readonly store: Store;
  readonly clock: FakeClock;
  readonly wrongClock: FakeClock;
}> {
  const clock = new FakeClock();
  const wrongClock = new FakeClock();
  wrongClock.setWall(clock.now() + differenceMs);
  const store = memoryStore({ clock });
  const right = createFixture({ store, clock }).issuer;
  await right.ready();
  const wrong = createFixture({ store, clock: wrongClock }).issuer;
  await wrong.ready();
  return { right, wrong, store, clock, wrongClock };
}

async function advanceBoth(one: FakeClock, other: FakeClock, seconds: number): Promise<void> {
  for (let i = 0; i < seconds; i++) {
    await one.advance(1_000);
    await other.advance(1_000);
  }
}

function collectMessages(t: TestContext): string[] {
  const messages: string[] = [];
  const listener = (published: unknown) => {
    const { event, message } = published as { event: string; message: string };
    if (event === "clock_differs") messages.push(message);
  };
  subscribe("holdfast:issuer", listener);
  t.after(() => unsubscribe("holdfast:issuer", listener));
  return messages;
}

test("fault 84: a process whose clock differs from that of its store says so once, until the clock is right", async (t) => {
  const messages = collectMessages(t);
  const { right, wrong, clock, wrongClock } = await withDifference(HOUR_MS);
  assert.equal(right.status().store.clockDifferenceMs, 0);
  assert.equal(wrong.status().store.clockDifferenceMs, HOUR_MS);
  await advanceBoth(clock, wrongClock, 240);
  assert.deepEqual(messages, [
    "the clock of this machine is 3600 s ahead of that of the store (memory (nothing is kept))",
  ]);
  wrongClock.setWall(clock.now() - 2_000);
  await advanceBoth(clock, wrongClock, 80);
  assert.equal(wrong.status().store.clockDifferenceMs, 0, "two seconds are tolerated");
  wrongClock.setWall(clock.now() - 7_000);
  await advanceBoth(clock, wrongClock, 80);
  assert.match(messages[1] ?? "", /behind/);
  for (const issuer of [right, wrong]) await issuer.close();
});

for (const [what, revoke] of [
  ["a session", async (issuer: Issuer, id: string) => await issuer.endSession(id)],
  ["a subject", async (issuer: Issuer) => await issuer.revoke({ kind: "subject", id: "ann" })],
] as const) {
  test(`law 3: ${what} that a machine three hours behind revoked stays revoked for machines with right clocks`, async () => {
    const { right, wrong, store, clock } = await withDifference(-3 * HOUR_MS);
    const tokens = await logIn(right);
    await revoke(wrong, tokens.session_id);
    await clock.advance(9 * MINUTE_MS);
    const view = new RevocationView(ISSUER_URL, 10);
    view.load(await store.revocations.snapshot());
    view.prune(clock.now());
    assert.equal(view.isRevoked(claimsOf(tokens.access_token), undefined), true);
    for (const issuer of [right, wrong]) await issuer.close();
  });
}

test("law 1: a token that has expired only by a clock that is ahead is 503, and 401 when both clocks agree", async () => {
  const { right, wrong, clock, wrongClock } = await withDifference(HOUR_MS);
  const tokens = await logIn(right);
  const list = async () =>
    (await sendRequest(wrong, "GET", "/auth/sessions", undefined, bearerHeader(tokens))).status;
  assert.equal(await list(), 503);
  assert.equal((await validateAtIssuer(right, tokens.access_token)).valid, true);
  const forged = tokens.access_token.slice(0, -4) + (tokens.access_token.endsWith("AAAA") ? "BBBB" : "AAAA");
  assert.equal((await validateAtIssuer(wrong, forged)).reason, "bad_signature");
  for (const one of [clock, wrongClock]) await one.advance(11 * MINUTE_MS);
  assert.equal(await list(), 401);
  for (const issuer of [right, wrong]) await issuer.close();
});

test("law 2: a machine that is behind refuses to accept a token that has expired by the clock of the store", async () => {
  const { right, wrong, clock, wrongClock } = await withDifference(-HOUR_MS);
  const tokens = await logIn(right);
  for (const one of [clock, wrongClock]) await one.advance(11 * MINUTE_MS);
  const response = await sendRequest(wrong, "GET", "/auth/sessions", undefined, bearerHeader(tokens));
  assert.equal(response.status, 503);
  for (const issuer of [right, wrong]) await issuer.close();
});

test("law 3: a logout of all devices at a machine an hour ahead keeps nobody out", async () => {
  const { right, wrong, clock } = await withDifference(HOUR_MS);
  const first = await logIn(right);
  const body = { refresh_token: first.refresh_token };
  assert.equal((await sendRequest(wrong, "POST", "/auth/logout-all", body)).status, 204);
  assert.equal((await validateAtIssuer(right, first.access_token)).reason, "revoked");
  const second = await logIn(right);
  assert.equal((await validateAtIssuer(right, second.access_token)).valid, true);
  const third = await logIn(wrong);
  assert.equal((await validateAtIssuer(right, third.access_token)).valid, true);
  assert.ok(Number(claimsOf(third.access_token)["iat"]) * 1000 <= clock.now());
  for (const issuer of [right, wrong]) await issuer.close();
});

test("a token of a service from a machine that is ahead is not from the future", async () => {
  const { right, wrong, clock } = await withDifference(HOUR_MS);
  const headers = { Authorization: BASIC, "Content-Type": "application/x-www-form-urlencoded" };
  const response = await sendRequest(wrong, "POST", "/oauth/token", "grant_type=client_credentials", headers);
  const { access_token: token } = (await response.json()) as { access_token: string };
  assert.ok(Number(claimsOf(token)["iat"]) * 1000 <= clock.now());
  assert.equal((await validateAtIssuer(right, token)).valid, true);
  for (const issuer of [right, wrong]) await issuer.close();
});

test("law 8: a process whose clock is an hour ahead tells the whole lifetimes of new tokens, so that clients keep them", async () => {
  const { right, wrong } = await withDifference(HOUR_MS);
  const whole = [600, (30 * 24 * HOUR_MS) / 1_000];
  const tokens = await logIn(wrong);
  assert.deepEqual([tokens.expires_in, tokens.refresh_token_expires_in], whole, "after a login");
  for (const when of ["after a refresh", "after a repeated refresh"]) {
    const outcome = await wrong.refresh(tokens.refresh_token);
    assert.ok(outcome.status === "ok", outcome.status);
    assert.deepEqual([outcome.tokens.expires_in, outcome.tokens.refresh_token_expires_in], whole, when);
  }
  const headers = { Authorization: BASIC, "Content-Type": "application/x-www-form-urlencoded" };
  const response = await sendRequest(wrong, "POST", "/oauth/token", "grant_type=client_credentials", headers);
  assert.equal(((await response.json()) as { expires_in: number }).expires_in, 600, "of a service");
  for (const issuer of [right, wrong]) await issuer.close();
});
