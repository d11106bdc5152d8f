import assert from "node:assert/strict";
import { after, before, describe, test, type TestContext } from "node:test";
import { createClient } from "redis";
import { chainDigest, type Revocation } from "../../src/core/revocation.ts";
import { ISSUER } from "../../src/stores/conformance/constants.ts";
import { digest, listIds, logIn, present, subjectScope } from "../../src/stores/conformance/fixtures.ts";
import { redisStore } from "../../src/stores/redis.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import { noRedis, RedisServer } from "../support/redis-servers.ts";

const HOUR = 3_600_000;

/** A user as earlier versions stored it, without a login key. */
const USER = { username: "ann", subject: "a", passwordHash: "h", scopes: ["read"], createdAt: 1, mac: "m" };

/** The script with which the previous version rotated a session. It is archived here. */
const PREVIOUS_ROTATION = `
local now = tonumber(ARGV[1])
local fixed, state = unpack(redis.call('HMGET', KEYS[1], 'fixed', 'state'))
if not fixed then return {'unknown', now} end
local s = cjson.decode(state)
local null = cjson.null
local live = s.endedAt == null and now < s.idleExpiresAt and now < s.absoluteExpiresAt
local function answer(outcome, successor) return {outcome, now, fixed, state, successor} end
local presented, successor, sealed, grace = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[7])
if not live then return answer('ended') end
if s.generation ~= tonumber(ARGV[2]) or presented ~= s.currentDigest then return answer('unknown') end
s.generation = s.generation + 1
s.previousDigest, s.currentDigest = presented, successor
s.rotatedAt = now
s.olderGraceEndsAt, s.graceEndsAt = s.graceEndsAt, now + grace
s.issuedAtS = math.max(math.floor(now / 1000), s.issuedAtS)
s.idleExpiresAt = math.min(now + ARGV[6], s.absoluteExpiresAt)
s.graceStreak = s.graceHit and s.graceStreak or 0
s.graceHit = false
state = cjson.encode(s)
redis.call('HSET', KEYS[1], 'state', state)
redis.call('PEXPIRE', KEYS[1], s.idleExpiresAt - now + 86400000)
redis.call('SET', KEYS[2], sealed, 'PX', math.max(grace, 1))
return answer('rotated', sealed)`;

void describe("records in Redis that an earlier version wrote", { skip: noRedis }, () => {
  let server: RedisServer;
  before(async () => (server = await RedisServer.start(["appendfsync no"])));
  after(async () => await server.stop());

  async function connect(t: TestContext) {
    const raw = await createClient({ url: server.url, RESP: 2 }).connect();
    await raw.flushAll();
    const clock = new FakeClock();
    t.after(() => raw.destroy());
    return { raw, clock, now: clock.now(), url: server.url };
  }

  type Raw = Awaited<ReturnType<typeof connect>>["raw"];

  /** Stores a session that has rotated once, as earlier versions did: a hash, its successor, and a place in one list. */
  async function putSession(raw: Raw, id: string, now: number): Promise<void> {
    const absoluteExpiresAt = now + 9 * HOUR;
    const fixed = { id, subject: "alice", authAt: now - HOUR, absoluteExpiresAt, facts: "{}", mac: "mac" };
    const state = {
      generation: 2,
      currentDigest: digest(id, 2),
      previousDigest: digest(id, 1),
      rotatedAt: now - 1000,
      graceEndsAt: now + 29_000,
      olderGraceEndsAt: null,
      issuedAtS: Math.floor(now / 1000) - 1,
      idleExpiresAt: now + HOUR,
      graceStreak: 0,
      graceHit: false,
      endedAt: null,
      endReason: null,
      absoluteExpiresAt,
    };
    await raw.hSet(`holdfast:{session:${id}}`, {
      fixed: JSON.stringify(fixed),
      state: JSON.stringify(state),
    });
    await raw.set(`holdfast:{session:${id}}:successor`, `sealed ${id}/2`, {
      expiration: { type: "PX", value: 29_000 },
    });
    await raw.zAdd("holdfast:{subject:alice}:sessions", { value: id, score: absoluteExpiresAt });
  }

  test("law 8: a store with records of an earlier version logs nobody out", async (t) => {
    const { raw, clock, now, url } = await connect(t);
    const revocation: Revocation = {
      kind: "subject",
      id: "bob",
      before: 5,
      issuer: ISSUER,
      until: now + HOUR,
    };
    const chain = chainDigest("", 1, now, revocation);
    const entry = JSON.stringify({ seq: 1, chain, at: now, revocation });
    const keys = [
      { kid: "k", algorithm: "ES256", sealed: "x", createdAt: 1, activatedAt: 1, retiredAt: null },
    ];
    await raw.hSet("holdfast:{store}", {
      epoch: "e".repeat(32),
      format: "1",
      seq: "1",
      chain,
      beat: String(now),
      keys: JSON.stringify(keys),
      "marker:id": "a store",
    });
    await raw.zAdd("holdfast:{store}:in-force", [
      { value: "e".repeat(32), score: Infinity },
      { value: entry, score: now + HOUR },
    ]);
    await raw.xAdd("holdfast:{store}:log", "1-0", { at: String(now), entry });
    await raw.hSet("holdfast:{users}", "ann", JSON.stringify(USER));
    await raw.hSet("holdfast:{users}:subjects", "a", "ann");
    await raw.zAdd("holdfast:{users}:names", { value: "ann", score: 0 });
    await raw.hSet("holdfast:{subject:bob}:cutoff", { at: String(now - 1), before: "5" });
    const event = { at: now, kind: "login", subject: "a", session: "s", source: null, detail: null };
    await raw.lPush("holdfast:{audit}", JSON.stringify(event));
    for (const id of ["one", "two", "three"]) await putSession(raw, id, now);

    const store = await redisStore({ url, durability: "unchecked", clock });
    t.after(async () => await store.close());
    assert.deepEqual(await store.users.get("ann"), { ...USER, loginKey: null, disabledAt: null });
    assert.deepEqual(await store.users.getBySubject("a"), await store.users.get("ann"));
    const named = { ...USER, loginKey: "ann", disabledAt: null };
    assert.equal(await store.users.replace(named, "m"), "replaced");
    assert.deepEqual(await store.users.getByLoginKey("ann"), named);
    assert.deepEqual(await store.keys.list(), keys);
    assert.equal(await store.markers.read("id"), "a store");
    assert.deepEqual(await store.audit.recent(1), [{ ...event, actor: null }]);
    const log = await store.revocations.snapshot();
    assert.deepEqual(log.entries, [{ seq: 1, chain, at: now, revocation }]);
    assert.deepEqual(await store.revocations.after({ ...log.position, seq: 0, chain: "" }), {
      status: "ok",
      entries: log.entries,
    });

    assert.deepEqual((await listIds(store)).toSorted(), ["one", "three", "two"]);
    const repeated = await present(store, "one", 1);
    assert.equal(repeated.outcome === "repeated" && repeated.sealedSuccessor, "sealed one/2");
    for (const id of ["one", "two"]) assert.equal((await present(store, id, 2)).outcome, "rotated");
    assert.equal(await store.sessions.endAll("alice", "logout_all", await subjectScope(store)), 3);
    for (const id of ["one", "two", "three"]) {
      assert.equal((await store.sessions.get(id))?.endReason, "logout_all");
    }
    await logIn(store, "later", "bob");
  });

  test("a session that an earlier version begins beside this one is listed, and counts against the bound", async (t) => {
    const { raw, clock, now, url } = await connect(t);
    const store = await redisStore({ url, durability: "unchecked", clock });
    t.after(async () => await store.close());
    await logIn(store, "own");
    await putSession(raw, "beside", now);
    assert.deepEqual((await listIds(store)).toSorted(), ["beside", "own"]);
    assert.ok(((await raw.zScore("holdfast:{subject:alice}:open", "own")) ?? 0) > 0);
    await store.sessions.endAll("alice", "logout_all", await subjectScope(store));
    assert.deepEqual(await listIds(store), []);
  });

  test("a session that an earlier version begins is also listed while an expired one is still kept", async (t) => {
    const { raw, clock, now, url } = await connect(t);
    const store = await redisStore({ url, durability: "unchecked", clock });
    t.after(async () => await store.close());
    await logIn(store, "expired");
    await raw.zAdd("holdfast:{subject:alice}:sessions", { value: "expired", score: now - 1000 });
    await putSession(raw, "beside", now);
    assert.ok((await listIds(store)).includes("beside"));
  });

  test("law 6: a login compares a bounded part of many sessions, and still finds those that an earlier version adds", async (t) => {
    const { raw, clock, now, url } = await connect(t);
    const store = await redisStore({ url, durability: "unchecked", clock });
    t.after(async () => await store.close());
    const own = Array.from({ length: 1000 }, (_, n) => ({ value: `own${n}`, score: now + HOUR }));
    for (const key of ["sessions", "open"]) await raw.zAdd(`holdfast:{subject:alice}:${key}`, own);
    const compared = async () => {
      const [, calls] = /cmdstat_zscore:calls=(\d+)/.exec(await raw.info("commandstats")) ?? [];
      return Number(calls ?? 0);
    };
    const earlier = await compared();
    for (let n = 0; n < 5; n++) await logIn(store, `later${n}`);
    assert.ok((await compared()) - earlier <= 5 * 201);
    const beside = Array.from({ length: 150 }, (_, n) => ({ value: `beside${n}`, score: now + 1000 * HOUR }));
    await raw.zAdd("holdfast:{subject:alice}:sessions", beside);
    await logIn(store, "last");
    assert.equal(await raw.zCard("holdfast:{subject:alice}:open"), 1000 + 5 + 150 + 1);
  });

  for (const [reader, calls] of Object.entries({ login: 10, list: 1 })) {
    test(`a session of an earlier version behind 1,000 that expire later is found by the ${reader}`, async (t) => {
      const { raw, clock, now, url } = await connect(t);
      const store = await redisStore({ url, durability: "unchecked", clock });
      t.after(async () => await store.close());
      const later = Array.from({ length: 1000 }, (_, n) => ({ value: `own${n}`, score: now + 1000 * HOUR }));
      for (const key of ["sessions", "open"]) await raw.zAdd(`holdfast:{subject:alice}:${key}`, later);
      await raw.pExpire("holdfast:{subject:alice}:sessions", 1000 * HOUR);
      await putSession(raw, "beside", now);
      for (let n = 0; n < calls; n++) {
        assert.equal(await raw.zScore("holdfast:{subject:alice}:open", "beside"), null);
        if (reader === "login") await logIn(store, `new${n}`);
        else await store.sessions.listBySubject("alice", { limit: 1 });
      }
      assert.ok(((await raw.zScore("holdfast:{subject:alice}:open", "beside")) ?? 0) > 0);
      assert.ok(
        (await raw.pTTL("holdfast:{subject:alice}:cutoff")) > 0,
        "the position expires with the list",
      );
    });
  }

  test("a session of an earlier version is found when a second round of comparisons begins", async (t) => {
    const { raw, clock, now, url } = await connect(t);
    const store = await redisStore({ url, durability: "unchecked", clock });
    t.after(async () => await store.close());
    const later = Array.from({ length: 1000 }, (_, n) => ({ value: `own${n}`, score: now + 1000 * HOUR }));
    for (const key of ["sessions", "open"]) await raw.zAdd(`holdfast:{subject:alice}:${key}`, later);
    for (const id of ["first", "second"]) {
      await putSession(raw, id, now);
      for (let n = 0; n < 11; n++) await logIn(store, `${id}${n}`);
      assert.ok(((await raw.zScore("holdfast:{subject:alice}:open", id)) ?? 0) > 0, id);
    }
  });

  test("a process of the previous version fails on a converted session, changes nothing, and goes on with its own", async (t) => {
    const { raw, clock, now, url } = await connect(t);
    const store = await redisStore({ url, durability: "unchecked", clock });
    t.after(async () => await store.close());
    for (const id of ["converted", "own"]) await putSession(raw, id, now);
    assert.equal((await present(store, "converted", 2)).outcome, "rotated");
    const converted = await raw.get("holdfast:{session:converted}");
    const runOld = async (script: string, id: string, args: readonly string[]) => {
      const key = `holdfast:{session:${id}}`;
      return await raw.eval(script, { keys: [key, `${key}:successor`], arguments: [String(now), ...args] });
    };
    const rotation = (id: string, generation: number) => [
      String(generation),
      digest(id, generation),
      digest(id, generation + 1),
      `sealed ${id}/${generation + 1}`,
      String(HOUR),
      "30000",
    ];
    await assert.rejects(runOld(PREVIOUS_ROTATION, "converted", rotation("converted", 3)), /WRONGTYPE/);
    assert.equal(await raw.get("holdfast:{session:converted}"), converted);
    assert.equal((await present(store, "converted", 3)).outcome, "rotated");

    assert.equal(((await runOld(PREVIOUS_ROTATION, "own", rotation("own", 2))) as string[])[0], "rotated");
    const repeated = await present(store, "own", 2);
    assert.equal(repeated.outcome === "repeated" && repeated.sealedSuccessor, "sealed own/3");
    assert.equal((await present(store, "own", 3)).outcome, "rotated");
  });

  test("a day after its end a session is off both lists of its user", async (t) => {
    const { raw, clock, url } = await connect(t);
    const store = await redisStore({ url, durability: "unchecked", clock });
    t.after(async () => await store.close());
    await logIn(store, "old");
    const score = String(await raw.zScore("holdfast:{subject:alice}:sessions", "old"));
    await clock.advance(Number(score) - clock.now() + 25 * HOUR);
    await logIn(store, "new");
    for (const list of ["sessions", "open"]) {
      assert.deepEqual(await raw.zRange(`holdfast:{subject:alice}:${list}`, 0, -1), ["new"], list);
    }
  });
});
