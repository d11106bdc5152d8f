import assert from "node:assert/strict";
import { after, before, describe, test, type TestContext } from "node:test";
import { createSession, logIn, present, subjectScope } from "../../src/stores/conformance/fixtures.ts";
import { redisStore } from "../../src/stores/redis.ts";
import { SessionCommands } from "../../src/stores/redis/session-commands.ts";
import { formatSession } from "../../src/stores/redis/session-text.ts";
import { SubjectCommands } from "../../src/stores/redis/subject-commands.ts";
import type { Store } from "../../src/stores/store.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import { noRedis, RedisServer, waitUntil } from "../support/redis-servers.ts";

/*
 * Redis lists a session under its subject before it creates the session, in two commands. A cut-off can come between
 * them.
 */

void describe("sessions that begin or change during a cut-off in Redis", { skip: noRedis }, () => {
  let server: RedisServer;
  before(async () => (server = await RedisServer.start(["appendfsync no"])));
  after(async () => await server.stop());

  /** Each test has its own prefix. */
  const open = async (t: TestContext, clock?: FakeClock): Promise<Store> => {
    const own = { prefix: `${t.name.length}:`, ...(clock && { clock }) };
    const store = await redisStore({ url: server.url, durability: "unchecked", ...own });
    t.after(async () => await store.close());
    return store;
  };

  /** Runs `work` once, after the next session is listed and before it is created. */
  const afterNextListing = (t: TestContext, work: () => Promise<unknown>) => {
    const mock = t.mock.method(SubjectCommands.prototype, "list");
    mock.mock.mockImplementationOnce(async function (this: SubjectCommands, session) {
      const listed = await this.list(session);
      await work();
      return listed;
    });
  };

  test("fault 47: a login that was listed before the cut-off begins no session, and a later login does", async (t) => {
    const [here, there] = [await open(t), await open(t)];
    const mark = await here.sessions.mark();
    afterNextListing(
      t,
      async () => await there.sessions.endAll("alice", "password_changed", await subjectScope(there)),
    );
    const late = await createSession(here, "late", mark);
    assert.equal(late.status, "superseded");
    assert.equal(await here.sessions.get("late"), null);
    assert.ok(late.number > mark);
    // A login with `once` has the same id when its credentials have been checked again.
    assert.equal((await createSession(here, "late", late.number - 1)).status, "superseded");
    assert.equal((await createSession(here, "late", late.number)).status, "created");
    assert.equal((await present(there, "late", 1)).outcome, "rotated");
    await logIn(here, "later");
    assert.notEqual(await there.sessions.get("later"), null);
  });

  test("a cut-off that an older version wrote also covers credentials of its own millisecond", async (t) => {
    const store = await open(t);
    const cutAt = (await store.now()) - 1000;
    await server.cli("HSET", `${t.name.length}:{session:late}`, "cutAt", String(cutAt));
    const late = await createSession(store, "late", cutAt);
    assert.deepEqual(late, { status: "superseded", number: cutAt + 1 });
    assert.equal((await createSession(store, "late", late.number)).status, "created");
  });

  test("a cut-off of another subject changes nothing", async (t) => {
    const [here, there] = [await open(t), await open(t)];
    afterNextListing(
      t,
      async () => await there.sessions.endAll("bob", "logout_all", await subjectScope(there)),
    );
    await logIn(here, "alices");
    assert.equal((await there.sessions.get("alices"))?.endedAt, null);
  });

  test("law 3, fault 34: a token that is refreshed on a clock ahead during the cut-off is covered by it", async (t) => {
    const clock = new FakeClock();
    const store = await open(t, clock);
    await logIn(store, "refreshed");
    let issuedAtS = 0;
    const mock = t.mock.method(SessionCommands.prototype, "end");
    mock.mock.mockImplementationOnce(async function (this: SessionCommands, ...args) {
      clock.setWall(clock.now() + 10_000);
      const refreshed = await present(store, "refreshed", 1);
      assert.ok(refreshed.outcome === "rotated");
      ({ issuedAtS } = refreshed.session);
      clock.setWall(clock.now() - 10_000);
      return await this.end(...args);
    });
    await store.sessions.endAll("alice", "password_changed", await subjectScope(store));
    const { entries } = await store.revocations.snapshot();
    const covered = entries.map(({ revocation }) => (revocation.kind === "subject" ? revocation.before : 0));
    assert.ok(Math.max(...covered) >= issuedAtS, `${covered.join()} cover ${issuedAtS}`);
    assert.equal((await store.sessions.get("refreshed"))?.endReason, "password_changed");
  });

  test("a session that is listed under another subject is neither shown nor ended there", async (t) => {
    const store = await open(t);
    await logIn(store, "bobs", "bob");
    const listed = await server.cli("ZADD", `${t.name.length}:{subject:alice}:sessions`, "4e12", "bobs");
    assert.equal(listed, ":1\r\n");
    await server.cli("ZADD", `${t.name.length}:{subject:alice}:open`, "1", "bobs");
    assert.deepEqual((await store.sessions.listBySubject("alice", { limit: 9 })).sessions, []);
    await store.sessions.endAll("alice", "logout_all", await subjectScope(store));
    assert.equal((await store.sessions.get("bobs"))?.endedAt, null);
  });

  test("fault 64: a failover that lost the end of all sessions does not end those that began since", async (t) => {
    const store = await open(t);
    const ended = await logIn(store, "before");
    await store.sessions.endAll("alice", "logout_all", await subjectScope(store));
    const since = await store.now();
    await waitUntil(async () => (await store.now()) > since, "the next millisecond");
    await logIn(store, "since");
    await server.cli("SET", `${t.name.length}:{session:before}`, formatSession(ended));
    await server.cli("CLIENT", "KILL", "TYPE", "normal");
    const isEnded = async () => {
      const session = await store.sessions.get("before").catch(() => null);
      return session !== null && session.endedAt !== null;
    };
    await waitUntil(isEnded, "the end of the session that the failover brought back");
    assert.equal((await store.sessions.get("since"))?.endedAt, null);
    assert.equal((await present(store, "since", 1)).outcome, "rotated");
  });
});
