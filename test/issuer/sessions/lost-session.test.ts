import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { issuerEvents } from "../../../src/core/event-channels.ts";
import type { IssuerEvent } from "../../../src/core/events.ts";
import { giveUpSession, giveUpSessions } from "../../../src/issuer/store/given-up-sessions.ts";
import type { Issuer, TokenResponse } from "../../../src/issuer/types.ts";
import { sqliteStore } from "../../../src/stores/sqlite.ts";
import { FakeClock } from "../../../src/testing/fake-clock.ts";
import {
  BASIC,
  bearerHeader,
  createFixture,
  logIn,
  sendRequest,
  settleOnClock,
  validateAtIssuer,
} from "../fixture.ts";

/** Tokens of a session, and an issuer on a backup that is older than the session. */
async function restoreOldBackup(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-lost-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const clock = new FakeClock();
  const open = async (file: string) => {
    const store = await sqliteStore({ file: join(folder, file), clock });
    t.after(async () => await store.close());
    return store;
  };
  const store = await open("current.db");
  const before = createFixture({ store, clock });
  await before.issuer.ready();
  const db = new DatabaseSync(join(folder, "current.db"));
  db.prepare("VACUUM INTO ?").run(join(folder, "backup.db"));
  db.close();
  const tokens = await logIn(before.issuer);
  const restored = await open("backup.db");
  const { issuer } = createFixture({ store: restored, clock });
  const events: string[] = [];
  const record = (event: unknown) => void events.push((event as IssuerEvent).event);
  issuerEvents.subscribe(record);
  t.after(() => issuerEvents.unsubscribe(record));
  return { clock, tokens, issuer, restored, events, original: before.issuer };
}

const uses: Readonly<Record<string, (issuer: Issuer, tokens: TokenResponse) => Promise<Response>>> = {
  "/auth/validate": async (issuer, { access_token: token }) =>
    await sendRequest(issuer, "POST", "/auth/validate", { token }, { Authorization: BASIC }),
  "/oauth/introspect": async (issuer, { access_token: token }) =>
    await sendRequest(issuer, "POST", "/oauth/introspect", new URLSearchParams({ token }).toString(), {
      Authorization: BASIC,
      "Content-Type": "application/x-www-form-urlencoded",
    }),
  "/oauth/introspect of the refresh token": async (issuer, { refresh_token: token }) =>
    await sendRequest(issuer, "POST", "/oauth/introspect", new URLSearchParams({ token }).toString(), {
      Authorization: BASIC,
      "Content-Type": "application/x-www-form-urlencoded",
    }),
  "/auth/logout-all by the refresh token": async (issuer, { refresh_token }) =>
    await sendRequest(issuer, "POST", "/auth/logout-all", { refresh_token }),
  "/auth/sessions": async (issuer, tokens) =>
    await sendRequest(issuer, "GET", "/auth/sessions", undefined, bearerHeader(tokens)),
  "/auth/logout": async (issuer, tokens) =>
    await sendRequest(issuer, "POST", "/auth/logout", undefined, bearerHeader(tokens)),
};

test("law 1, fault 64: an access token whose session the store has lost is unavailable, with one alarm", async (t) => {
  const { clock, tokens, issuer, restored, events, original } = await restoreOldBackup(t);
  for (const [path, use] of Object.entries(uses)) {
    const response = await use(issuer, tokens);
    assert.deepEqual([response.status, response.headers.get("Retry-After")], [503, "30"], path);
  }
  assert.deepEqual(
    events.filter((event) => event === "store_rolled_back"),
    ["store_rolled_back"],
  );
  assert.equal((await restored.audit.recent(10))[0]?.kind, "store_rolled_back");
  assert.equal((await restored.revocations.snapshot()).entries.length, 0);
  assert.equal((await validateAtIssuer(original, tokens.access_token)).valid, true);
  await clock.advance(tokens.expires_in * 1000 + 6000);
  assert.equal((await validateAtIssuer(issuer, tokens.access_token)).reason, "expired");
});

test("law 3: an access token of a session that has ended, or was given up, is revoked", async (t) => {
  const { clock, tokens, issuer, restored, events, original } = await restoreOldBackup(t);
  const ended = await logIn(original, "bob");
  await original.endSession(ended.session_id, "logout");
  assert.equal((await validateAtIssuer(original, ended.access_token)).reason, "revoked");
  await giveUpSessions(restored, clock.now());
  assert.equal((await validateAtIssuer(issuer, tokens.access_token)).reason, "revoked");
  assert.deepEqual(
    events.filter((event) => event === "store_rolled_back"),
    [],
  );
});

test("fault 64: the tokens of one lost session that an administrator ended are invalid, without an alarm", async (t) => {
  const { tokens, issuer, restored, events, original } = await restoreOldBackup(t);
  const other = await logIn(original, "bob");
  await giveUpSession(restored, tokens.session_id);
  assert.deepEqual(await issuer.refresh(tokens.refresh_token), { status: "invalid_grant" });
  assert.equal((await validateAtIssuer(issuer, tokens.access_token)).reason, "revoked");
  assert.deepEqual(
    events.filter((event) => event === "store_rolled_back"),
    [],
  );
  assert.equal(
    (await issuer.refresh(other.refresh_token)).status,
    "unavailable",
    "another session is not given up",
  );
});

test("fault 64: only a missing session whose refresh was refused is given up, because another one may have expired", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-lost-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "holdfast.db");
  const clock = new FakeClock();
  const store = await sqliteStore({ file, clock });
  t.after(async () => await store.close());
  const { issuer } = createFixture({ store, clock });
  const [used, , ofAnother] = [await logIn(issuer), await logIn(issuer), await logIn(issuer, "bob")];
  const db = new DatabaseSync(file);
  db.exec("DELETE FROM sessions");
  db.close();
  for (const { refresh_token: token } of [used, ofAnother]) {
    assert.equal((await issuer.refresh(token)).status, "unavailable");
  }
  assert.equal(await settleOnClock(clock, issuer.sessions.giveUpLost("ann")), 1);
  assert.equal((await issuer.refresh(used.refresh_token)).status, "invalid_grant");
  assert.equal((await issuer.refresh(ofAnother.refresh_token)).status, "unavailable");
  assert.equal(await settleOnClock(clock, issuer.sessions.giveUpLost("ann")), 0, "it is given up once");
});
