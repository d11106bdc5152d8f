import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { issuerEvents } from "../../../src/core/event-channels.ts";
import type { IssuerEvent } from "../../../src/core/events.ts";
import type { Issuer, TokenResponse } from "../../../src/issuer/types.ts";
import type { SessionRecord } from "../../../src/stores/session-store.ts";
import { memoryStore } from "../../../src/stores/memory.ts";
import { sqliteStore } from "../../../src/stores/sqlite.ts";
import { FakeClock } from "../../../src/testing/fake-clock.ts";
import { BASIC, claimsOf, createFixture, logIn, sendRequest, validateAtIssuer } from "../fixture.ts";
import { wrapStore } from "../stores.ts";

const MINUTE_MS = 60_000;

/** Tokens of the second generation on a store that then goes back to the first one, and an issuer on that store. */
async function goBack(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-back-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const clock = new FakeClock();
  const open = async (file: string) => {
    const store = await sqliteStore({ file: join(folder, file), clock });
    t.after(async () => await store.close());
    return store;
  };
  const { issuer: before } = createFixture({ store: await open("current.db"), clock });
  const first = await logIn(before);
  const db = new DatabaseSync(join(folder, "current.db"));
  db.prepare("VACUUM INTO ?").run(join(folder, "backup.db"));
  db.close();
  const lost = await refreshed(before, first);
  await clock.advance(MINUTE_MS);
  const store = await open("backup.db");
  const acknowledged: unknown[] = [];
  const watched = wrapStore(store, async (method, call, args) => {
    const answer = await call();
    if (method === "sessions.acknowledge") acknowledged.push(args);
    return answer;
  });
  const { issuer } = createFixture({ store: watched, clock });
  return { first, lost, issuer, store, acknowledged };
}

async function refreshed(issuer: Issuer, { refresh_token }: TokenResponse): Promise<TokenResponse> {
  const outcome = await issuer.refresh(refresh_token);
  assert.ok(outcome.status === "ok", outcome.status);
  return outcome.tokens;
}

async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await nextTurn();
}

for (const [where, use] of [
  ["the issuer", async (issuer: Issuer, token: string) => await validateAtIssuer(issuer, token)],
  ["a guard", async (issuer: Issuer, token: string) => issuer.revocations.tokenAccepted?.(claimsOf(token))],
] as const) {
  test(`law 8: an access token of a branch that the store has lost is no sign of arrival at ${where}`, async (t) => {
    const { first, lost, issuer, store, acknowledged } = await goBack(t);
    // A tab that was asleep refreshes with the first token, and its answer is lost.
    const next = await refreshed(issuer, first);
    await use(issuer, lost.access_token);
    await settle();
    assert.equal((await store.sessions.get(first.session_id))?.arrivedAt, null);
    assert.equal((await refreshed(issuer, first)).refresh_token, next.refresh_token, "the same successor");
    await use(issuer, next.access_token);
    while (acknowledged.length === 0) await nextTurn();
    assert.equal((await issuer.refresh(first.refresh_token)).status, "refresh_conflict");
    await issuer.close();
  });
}

test("law 8: introspection and logout-all agree with the refresh of a token that is ahead of the store", async (t) => {
  const { lost, issuer } = await goBack(t);
  const form = { Authorization: BASIC, "Content-Type": "application/x-www-form-urlencoded" };
  const introspect = async () => {
    const body = new URLSearchParams({ token: lost.refresh_token }).toString();
    return (await (await sendRequest(issuer, "POST", "/oauth/introspect", body, form)).json()) as {
      active: boolean;
      sid?: string;
      exp?: number;
    };
  };
  const { active, sid, exp = 0 } = await introspect();
  assert.deepEqual([active, sid], [true, lost.session_id]);
  assert.ok(exp > 0);
  const logoutAll = async () => {
    const body = { refresh_token: lost.refresh_token };
    return (await sendRequest(issuer, "POST", "/auth/logout-all", body)).status;
  };
  assert.equal(await logoutAll(), 204);
  assert.deepEqual(await introspect(), { active: false });
  assert.equal((await issuer.refresh(lost.refresh_token)).status, "invalid_grant");
  assert.equal(await logoutAll(), 204, "a repetition succeeds");
  await issuer.close();
});

test("law 8: a token of a branch that the store has lost is reported also in a request for a scope that the session lacks", async (t) => {
  const { first, lost, issuer, store } = await goBack(t);
  await refreshed(issuer, first);
  const form = { grant_type: "refresh_token", refresh_token: lost.refresh_token, scope: "admin" };
  const headers = { "Content-Type": "application/x-www-form-urlencoded" };
  const body = new URLSearchParams(form).toString();
  const response = await sendRequest(issuer, "POST", "/oauth/token", body, headers);
  assert.equal(((await response.json()) as { error: string }).error, "invalid_grant");
  assert.equal((await store.audit.recent(1))[0]?.kind, "refresh_forked");
  assert.equal((await store.sessions.get(first.session_id))?.endedAt, null);
  await issuer.close();
});

test("law 1: a live session whose user the store has lost is unavailable, with one alarm a minute, and goes on afterwards", async (t) => {
  const clock = new FakeClock();
  const store = memoryStore({ clock });
  const { issuer } = createFixture({ store, clock, authenticate: undefined } as object);
  const events: string[] = [];
  const listener = (event: unknown) => void events.push((event as IssuerEvent).event);
  issuerEvents.subscribe(listener);
  t.after(() => issuerEvents.unsubscribe(listener));
  await issuer.users.add({ username: "ann", password: "password of ann" });
  const tokens = await logIn(issuer);
  const record = await store.users.get("ann");
  assert.ok(record !== null);
  assert.equal(await store.users.remove("ann", record.mac), "removed");
  const alarms = () => events.filter((event) => event === "store_rolled_back").length;
  for (const [waitMs, expected] of [
    [0, 1],
    [0, 1],
    [59_999, 1],
    [1, 2],
    [1, 2],
  ] as const) {
    await clock.advance(waitMs);
    assert.equal((await issuer.refresh(tokens.refresh_token)).status, "unavailable");
    assert.equal(alarms(), expected);
  }
  assert.equal((await store.audit.recent(1))[0]?.detail, "unknown user");
  assert.equal((await store.sessions.get(tokens.session_id))?.endedAt, null);
  assert.equal(await store.users.add(record), "added");
  assert.equal((await issuer.refresh(tokens.refresh_token)).status, "ok");
  assert.equal(await issuer.users.remove("ann"), "removed");
  assert.equal((await issuer.refresh(tokens.refresh_token)).status, "invalid_grant");
  await issuer.close();
});

test("law 1: a session of a removed user that a failover brings back is invalid, and not unavailable", async () => {
  const clock = new FakeClock();
  const store = memoryStore({ clock });
  const own = { clock, authenticate: undefined } as object;
  const { issuer } = createFixture({ ...own, store });
  await issuer.users.add({ username: "ann", password: "password of ann" });
  const tokens = await logIn(issuer);
  const live = await store.sessions.get(tokens.session_id);
  assert.equal(await issuer.users.remove("ann"), "removed");
  const back = wrapStore(store, async (method, call) => (method === "sessions.get" ? live : await call()));
  const { issuer: late } = createFixture({ ...own, store: back });
  assert.equal((await late.refresh(tokens.refresh_token)).status, "invalid_grant");
  assert.ok((await store.audit.recent(9)).every(({ kind }) => kind !== "store_rolled_back"));
  for (const one of [issuer, late]) await one.close();
});

test("law 1: a refresh is unavailable when the store goes back between the look at the session and its rotation", async () => {
  const clock = new FakeClock();
  let hasEnded = false;
  const store = wrapStore(memoryStore({ clock }), async (method, call) => {
    const answer = (await call()) as SessionRecord | null;
    if (method !== "sessions.get" || answer === null || !hasEnded) return answer;
    return { ...answer, endedAt: clock.now(), endReason: "logout" };
  });
  const { issuer } = createFixture({ clock, store, renew: ({ subject, scopes }) => ({ subject, scopes }) });
  const tokens = await logIn(issuer);
  hasEnded = true;
  assert.equal((await issuer.refresh(tokens.refresh_token)).status, "unavailable");
  hasEnded = false;
  assert.equal((await issuer.refresh(tokens.refresh_token)).status, "ok", "the token gets its successor");
  await issuer.close();
});
