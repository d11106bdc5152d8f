import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, describe, test, type TestContext } from "node:test";
import { createClient } from "redis";
import { systemClock } from "../../../src/core/clock.ts";
import { auditEvents, issuerEvents } from "../../../src/core/event-channels.ts";
import type { AuditEvent, IssuerEvent } from "../../../src/core/events.ts";
import { redisStore } from "../../../src/stores/redis.ts";
import { sqliteStore } from "../../../src/stores/sqlite.ts";
import { temporaryFolder } from "../../stores/temporary-folder.ts";
import { noRedis, RedisServer } from "../../support/redis-servers.ts";
import { bearerHeader, createFixture, logIn, sendRequest } from "../fixture.ts";

test("a session in SQLite whose facts are cut in half is listed, and its user ends it", async (t) => {
  const folder = temporaryFolder();
  const file = join(folder.path, "holdfast.db");
  const store = await sqliteStore({ file });
  const { issuer } = createFixture({ store, clock: systemClock });
  t.after(async () => {
    await issuer.close();
    await store.close();
    folder.remove();
  });
  const [{ session_id: id, refresh_token }, other] = [await logIn(issuer), await logIn(issuer)];
  const raw = new DatabaseSync(file);
  raw.prepare("UPDATE sessions SET facts = substr(facts, 1, 20) WHERE id = ?").run(id);
  raw.close();

  assert.equal((await sendRequest(issuer, "POST", "/auth/refresh", { refresh_token })).status, 400);
  assert.deepEqual((await issuer.sessions.list("ann")).unreadable, [id]);
  const path = `/auth/sessions/${id}`;
  assert.equal((await sendRequest(issuer, "DELETE", path, undefined, bearerHeader(other))).status, 204);
  const { entries } = await store.revocations.snapshot();
  assert.ok(entries.some(({ revocation }) => revocation.kind === "session" && revocation.id === id));
  assert.deepEqual((await issuer.sessions.list("ann")).unreadable, []);
});

void describe("a session in Redis whose record is cut in half", { skip: noRedis }, () => {
  let server: RedisServer;
  before(async () => (server = await RedisServer.start(["appendfsync no"])));
  after(async () => await server.stop());

  /** An issuer with two sessions of ann. The record of the first one is damaged. */
  async function setUp(t: TestContext) {
    const raw = await createClient({ url: server.url, RESP: 2 }).connect();
    await raw.flushAll();
    const store = await redisStore({ url: server.url, durability: "unchecked" });
    // The tokens are checked by the time of the server.
    const { issuer } = createFixture({ store, clock: systemClock });
    const events: IssuerEvent[] = [];
    const audited: AuditEvent[] = [];
    const onIssuer = (event: unknown) => void events.push(event as IssuerEvent);
    const onAudit = (event: unknown) => void audited.push(event as AuditEvent);
    issuerEvents.subscribe(onIssuer);
    auditEvents.subscribe(onAudit);
    t.after(async () => {
      issuerEvents.unsubscribe(onIssuer);
      auditEvents.unsubscribe(onAudit);
      raw.destroy();
      await issuer.close();
      await store.close();
    });
    const [damaged, other] = [await logIn(issuer), await logIn(issuer)];
    const id = damaged.session_id;
    const key = `holdfast:{session:${id}}`;
    const record = (await raw.get(key)) ?? "";
    await raw.set(key, record.slice(0, record.length / 2), { expiration: "KEEPTTL" });
    const refresh = async () =>
      await sendRequest(issuer, "POST", "/auth/refresh", { refresh_token: damaged.refresh_token });
    return { issuer, store, damaged, other, id, refresh, events, audited };
  }

  test("its refresh is 503, which is no outage of the store, and is audited once", async (t) => {
    const { id, issuer, refresh, events, audited } = await setUp(t);
    for (let i = 0; i < 3; i++) assert.equal((await refresh()).status, 503);
    assert.equal(issuer.status().store.reachable, true);
    assert.deepEqual(issuer.status().sessions, { damaged: 3, lost: 0 });
    assert.deepEqual(
      events.filter(({ event }) => event.startsWith("store_")),
      [],
    );
    const tampered = audited.filter(({ kind }) => kind === "record_tampered");
    assert.deepEqual(
      tampered.map(({ session }) => session),
      [id],
    );
  });

  test("the list of its user names it, and another session of the user ends it", async (t) => {
    const { id, issuer, other, refresh } = await setUp(t);
    const list = await sendRequest(issuer, "GET", "/auth/sessions", undefined, bearerHeader(other));
    const { sessions, unreadable } = (await list.json()) as { sessions: object[]; unreadable: string[] };
    assert.deepEqual([sessions.length, unreadable], [1, [id]]);
    assert.deepEqual((await issuer.sessions.list("ann")).unreadable, [id]);

    const ended = await sendRequest(issuer, "DELETE", `/auth/sessions/${id}`, undefined, bearerHeader(other));
    assert.equal(ended.status, 204);
    const refreshed = await refresh();
    assert.deepEqual(
      [refreshed.status, ((await refreshed.json()) as { error: string }).error],
      [400, "invalid_grant"],
    );
    assert.deepEqual((await issuer.sessions.list("ann")).unreadable, []);
  });

  test("an end of all sessions by an administrator is audited with the number of damaged ones", async (t) => {
    const { issuer, audited } = await setUp(t);
    await issuer.sessions.endAll("ann", { actor: "support" });
    const { detail } = audited.find(({ kind }) => kind === "subject_ended") ?? {};
    assert.equal(detail, "revoked, sessions: 1, damaged: 1");
  });

  test("another user does not end it", async (t) => {
    const { id, issuer, refresh } = await setUp(t);
    const bob = bearerHeader(await logIn(issuer, "bob"));
    assert.equal((await sendRequest(issuer, "DELETE", `/auth/sessions/${id}`, undefined, bob)).status, 404);
    assert.equal((await refresh()).status, 503);
  });

  type SetUp = Awaited<ReturnType<typeof setUp>>;
  const ways: readonly [string, (parts: SetUp) => Promise<unknown>][] = [
    [
      "a logout with its refresh token",
      async ({ issuer, damaged }) =>
        await sendRequest(issuer, "POST", "/auth/logout", { refresh_token: damaged.refresh_token }),
    ],
    [
      "a logout with its access token",
      async ({ issuer, damaged }) =>
        await sendRequest(issuer, "POST", "/auth/logout", undefined, bearerHeader(damaged)),
    ],
    ["issuer.sessions.end", async ({ issuer, id }) => await issuer.sessions.end(id, { actor: "support" })],
    ["issuer.revoke", async ({ issuer, id }) => await issuer.revoke({ kind: "session", id })],
    ["issuer.sessions.endAll", async ({ issuer }) => await issuer.sessions.endAll("ann")],
  ];
  for (const [way, end] of ways) {
    test(`law 12: ${way} ends it, its tokens are revoked, and its refresh is invalid_grant`, async (t) => {
      const parts = await setUp(t);
      await end(parts);
      const { entries } = await parts.store.revocations.snapshot();
      assert.ok(
        entries.some(({ revocation }) => revocation.kind === "session" && revocation.id === parts.id),
      );
      assert.equal((await parts.refresh()).status, 400);
      assert.equal(await parts.issuer.sessions.get(parts.id), null);
      assert.deepEqual(
        parts.events.filter(({ event }) => event.startsWith("store_")),
        [],
      );
    });
  }
});
