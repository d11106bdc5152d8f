import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { isHoldfastError, type ErrorCode } from "../../src/core/errors.ts";
import { ABSOLUTE_MS } from "../../src/stores/conformance/constants.ts";
import { logIn, present, makeRevocation, subjectScope } from "../../src/stores/conformance/fixtures.ts";
import type { RotationOutcome, SessionPage, SessionPosition } from "../../src/stores/session-store.ts";
import type { Store } from "../../src/stores/store.ts";
import { redisStore, type RedisStoreOptions } from "../../src/stores/redis.ts";
import { EXPIRED_RETENTION_MS } from "../../src/stores/retention.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import { createFaultProxy } from "../../src/testing/fault-proxy.ts";
import { UnresponsiveProxy } from "../support/unresponsive-proxy.ts";
import { freePort } from "../support/free-port.ts";
import { noRedis, RedisServer, waitForReplica, waitUntil } from "../support/redis-servers.ts";

/** Longer than any answer takes. On a busy disk, an answer may take a second. */
const TIMEOUT_MS = 2000;
/** The deadline in tests where no answer comes. */
const DEADLINE_MS = 500;

const failsWith = (code: ErrorCode) => (error: unknown) => isHoldfastError(error, code);

/** Presents a refresh token without any other command. */
async function rotate(store: Store, id: string, generation: number): Promise<RotationOutcome> {
  return await present(store, id, generation, { onReuse: REVOCATION });
}

/** Whether the store works again. */
async function works(store: Store): Promise<boolean> {
  try {
    await store.revocations.append(await makeRevocation(store, "token", "again"));
    return true;
  } catch (error) {
    assert.ok(isHoldfastError(error, "store_unavailable"), String(error));
    return false;
  }
}

async function appendTokens(store: Store, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await store.revocations.append(await makeRevocation(store, "token", `t${i}`));
  }
}

void describe("Redis and its faults", { skip: noRedis }, () => {
  let server: RedisServer;
  before(async () => (server = await RedisServer.start(["enable-debug-command yes"])));
  after(async () => await server.stop());

  /** Opens a separate store for one test. */
  async function open(
    t: { after(work: () => Promise<void>): void },
    options: Partial<RedisStoreOptions> = {},
  ): Promise<Store> {
    const prefix = `${randomBytes(6).toString("hex")}:`;
    const store = await redisStore({ url: server.url, prefix, commandTimeoutMs: TIMEOUT_MS, ...options });
    t.after(async () => await store.close());
    return store;
  }

  void test("fault 1: a server that refuses connections is named, and opening the store rejects", async () => {
    const port = await freePort();
    await assert.rejects(
      redisStore({ url: `redis://:hunter22@127.0.0.1:${port}`, openTimeoutMs: 200 }),
      (error) => {
        assert.ok(isHoldfastError(error, "store_unavailable"));
        assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${port}`));
        assert.doesNotMatch(error.message, /hunter22/);
        return true;
      },
    );
  });

  void test("fault 2: a command to a frozen server fails at the deadline, and the server is used again after the thaw", async (t) => {
    const store = await open(t, { commandTimeoutMs: DEADLINE_MS });
    await logIn(store, "s1");
    server.freeze();
    try {
      await assert.rejects(store.sessions.get("s1"), failsWith("store_unavailable"));
      await assert.rejects(rotate(store, "s1", 1), failsWith("store_unavailable"));
    } finally {
      server.thaw();
    }
    await waitUntil(async () => await works(store), "the thaw");
    // The rotation may have taken effect after its deadline. Its client then gets the same successor.
    assert.match((await present(store, "s1", 1)).outcome, /^(rotated|repeated)$/);
  });

  void test("fault 2: a connection without answers is replaced while commands keep coming", async (t) => {
    const proxy = await UnresponsiveProxy.start(server.port);
    t.after(async () => proxy.close());
    const store = await open(t, { url: proxy.url, commandTimeoutMs: DEADLINE_MS });
    assert.equal(proxy.silence("EVALSHA"), 1);
    await assert.rejects(store.now(), failsWith("store_unavailable"));
    await waitUntil(async () => await works(store), "a new connection");
  });

  void test("fault 2: a connection without answers is replaced when its queue is full", async (t) => {
    const proxy = await UnresponsiveProxy.start(server.port);
    t.after(async () => proxy.close());
    const store = await open(t, { url: proxy.url, commandTimeoutMs: DEADLINE_MS });
    assert.equal(proxy.silence("EVALSHA"), 1);
    const asked = await Promise.allSettled(Array.from({ length: 11_000 }, async () => await store.now()));
    assert.ok(asked.every(({ status }) => status === "rejected"));
    await waitUntil(async () => await works(store), "a new connection");
  });

  void test("fault 4: killed connections are replaced, and no data is lost", async (t) => {
    const store = await open(t);
    await logIn(store, "s1");
    await server.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    await waitUntil(async () => await works(store), "a new connection");
    assert.equal((await present(store, "s1", 1)).outcome, "rotated");
  });

  void test("fault 4, law 12: a server that became a replica acknowledges no write", async (t) => {
    const store = await open(t);
    await logIn(store, "s1");
    const revocation = await makeRevocation(store, "session", "s1");
    const { position } = await store.revocations.snapshot();
    await server.cli("REPLICAOF", "127.0.0.1", "1");
    try {
      await assert.rejects(store.sessions.end("s1", "logout", revocation), failsWith("store_unavailable"));
      await assert.rejects(store.revocations.append(revocation), failsWith("store_unavailable"));
    } finally {
      await server.cli("REPLICAOF", "NO", "ONE");
    }
    assert.deepEqual(await store.revocations.after(position), { status: "ok", entries: [] });
    await store.sessions.end("s1", "logout", revocation);
    assert.equal((await present(store, "s1", 1)).outcome, "ended");
  });

  void test("fault 4: a server that is loading its data is unavailable, and loses no data", async (t) => {
    const settings = [
      "key-load-delay 2000",
      "loading-process-events-interval-bytes 1024",
      "rdbcompression no",
    ];
    const slow = await RedisServer.start(settings);
    t.after(async () => await slow.stop());
    const store = await open(t, { url: slow.url });
    await logIn(store, "s1");
    await slow.cli("EVAL", "for i = 1, 1500 do redis.call('SET', i, string.rep('x', 99)) end", "0");
    await slow.cli("BGREWRITEAOF");
    const compact = async () =>
      ((await slow.cli("INFO", "persistence")) ?? "").includes("aof_rewrite_in_progress:0");
    await waitUntil(compact, "data that is loaded key by key");
    await slow.kill();
    await slow.up();
    assert.match((await slow.cli("PING")) ?? "", /^-LOADING/);
    const loading = (error: Error) =>
      failsWith("store_unavailable")(error) && error.message.includes("LOADING");
    await waitUntil(async () => await store.now().then(() => assert.fail("loaded"), loading), "a connection");
    await assert.rejects(rotate(store, "s1", 1), loading);
    await assert.rejects(store.sessions.get("s1"), loading);
    await waitUntil(async () => await works(store), "the data");
    assert.equal((await rotate(store, "s1", 1)).outcome, "rotated");
  });

  void test("fault 3: every command to a slow server fails at its deadline, and no token is spent twice", async (t) => {
    const proxy = await createFaultProxy({ target: server.url });
    t.after(async () => await proxy.close());
    const store = await open(t, { url: proxy.url, commandTimeoutMs: DEADLINE_MS });
    await logIn(store, "s1");
    proxy.set({ kind: "latency", ms: 2 * DEADLINE_MS });
    for (let i = 0; i < 3; i++) await assert.rejects(store.sessions.get("s1"), /no answer within 500 ms/);
    // The deadline of a write is four times as long.
    proxy.set({ kind: "latency", ms: 5 * DEADLINE_MS });
    await assert.rejects(rotate(store, "s1", 1), /no answer within 2000 ms/);
    proxy.set({ kind: "pass" });
    await waitUntil(async () => await works(store), "a fast server");
    assert.match((await rotate(store, "s1", 1)).outcome, /^(rotated|repeated)$/);
    assert.equal((await store.sessions.get("s1"))?.generation, 2);
  });

  void test("fault 10: concurrent and repeated revocations of several processes have one order, and none is undone", async (t) => {
    const prefix = `${randomBytes(6).toString("hex")}:`;
    const stores = [await open(t, { prefix }), await open(t, { prefix }), await open(t, { prefix })];
    await logIn(stores[0] as Store, "s1");
    const { position } = await (stores[0] as Store).revocations.snapshot();
    await Promise.all(
      stores.flatMap((store) =>
        [1, 2, 3].map(async () => await store.sessions.end("s1", "logout", REVOCATION)),
      ),
    );
    for (const store of stores) {
      const tail = await store.revocations.after(position);
      assert.ok(tail.status === "ok");
      assert.deepEqual(
        tail.entries.map(({ seq }) => seq),
        [1, 2, 3, 4, 5, 6, 7, 8, 9],
      );
      assert.equal((await rotate(store, "s1", 1)).outcome, "ended");
    }
  });

  void test("fault 4: scripts are sent again after the server lost them", async (t) => {
    const store = await open(t);
    await logIn(store, "s1");
    await server.cli("SCRIPT", "FLUSH");
    assert.equal((await present(store, "s1", 1)).outcome, "rotated");
  });

  void test("law 3: a second entry covers a refresh between a cut-off and the end of the session", async (t) => {
    const clock = new FakeClock();
    const store = await open(t, { clock });
    await logIn(store, "s1");
    const { position } = await store.revocations.snapshot();
    const refreshed: Promise<RotationOutcome>[] = [];
    const unsubscribe = store.revocations.subscribe(() => {
      // The log has the cut-off, and the session has not ended yet.
      if (refreshed.length > 0) return;
      clock.setWall(clock.now() + 2000);
      refreshed.push(rotate(store, "s1", 1));
    });
    t.after(async () => unsubscribe());
    assert.equal(await store.sessions.endAll("alice", "logout_all", await subjectScope(store)), 1);
    const outcome = await refreshed[0];
    assert.ok(outcome?.outcome === "rotated");
    const tail = await store.revocations.after(position);
    assert.ok(tail.status === "ok");
    const cutOffs = tail.entries.map(({ revocation }) => revocation.kind === "subject" && revocation.before);
    assert.deepEqual(cutOffs, [clock.now() / 1000 - 2, outcome.session.issuedAtS]);
    assert.equal((await rotate(store, "s1", 2)).outcome, "ended");
    // A session that begins later is told apart by the number of the cut-off.
    await logIn(store, "s2");
    assert.equal((await rotate(store, "s2", 1)).outcome, "rotated");
  });

  void test("law 3: every one of 11,000 sessions of a subject ends", async (t) => {
    const store = await open(t, { commandTimeoutMs: 10_000 });
    for (let i = 0; i < 11_000; i += 500) {
      await Promise.all(Array.from({ length: 500 }, async (_, n) => await logIn(store, `s${i + n}`)));
    }
    assert.equal(await countListed(store), 11_000);
    assert.equal(await store.sessions.endAll("alice", "logout_all", await subjectScope(store)), 11_000);
    assert.equal(await countListed(store), 0);
  });

  void test("the list of a subject has its live sessions, and those that ended within a day", async (t) => {
    const clock = new FakeClock();
    const prefix = `${randomBytes(6).toString("hex")}:`;
    const store = await open(t, { clock, prefix });
    const listed = async (...command: string[]) =>
      (await server.cli(command[0] ?? "ZCARD", `${prefix}{subject:alice}:sessions`, ...command.slice(1))) ??
      "";
    for (const id of ["out", "stolen", "lives"]) await logIn(store, id);
    await store.sessions.end("out", "logout", REVOCATION);
    for (const generation of [1, 2, 3]) await rotate(store, "stolen", generation);
    assert.equal((await rotate(store, "stolen", 1)).outcome, "reuse");
    const marked = async () => (await listed("ZCOUNT", "-inf", String(clock.now()))) === ":2\r\n";
    await waitUntil(marked, "the new scores of the ended sessions");
    await clock.advance(EXPIRED_RETENTION_MS - ABSOLUTE_MS / 2);
    await logIn(store, "later");
    assert.equal(await listed(), ":4\r\n");
    await clock.advance(ABSOLUTE_MS / 2);
    await logIn(store, "latest");
    assert.equal(await listed(), ":3\r\n");
    await store.sessions.endAll("alice", "logout_all", await subjectScope(store));
    await clock.advance(EXPIRED_RETENTION_MS);
    await logIn(store, "last");
    assert.equal(await listed(), ":1\r\n");
  });

  void test("law 12: no process acknowledges a write that another process could not replicate", async (t) => {
    const primary = await RedisServer.start(["min-replicas-to-write 1"]);
    const replica = await RedisServer.start([`replicaof 127.0.0.1 ${primary.port}`]);
    t.after(async () => void (await Promise.all([primary.stop(), replica.stop()])));
    await waitForReplica(primary);
    const options = { url: primary.url, prefix: "p:", replicas: 1, commandTimeoutMs: DEADLINE_MS };
    const stores = [await open(t, options), await open(t, options), await open(t, options)] as const;
    await logIn(stores[0], "s1");
    replica.freeze();
    for (const store of stores) await assert.rejects(rotate(store, "s1", 1), /0 of 1 replicas/);
    replica.thaw();
    await waitUntil(async () => await works(stores[2]), "the replica");
    assert.equal((await rotate(stores[2], "s1", 1)).outcome, "repeated");
  });

  void test("fault 7: entries that another process appended while the connection was cut arrive in order", async (t) => {
    const prefix = `${randomBytes(6).toString("hex")}:`;
    const [one, other] = [await open(t, { prefix }), await open(t, { prefix })];
    const received: number[] = [];
    t.after(async () => unsubscribe());
    const unsubscribe = one.revocations.subscribe((entries) =>
      received.push(...entries.map(({ seq }) => seq)),
    );
    const { position } = await one.revocations.snapshot();
    await other.revocations.append(await makeRevocation(other, "token", "first"));
    await waitUntil(async () => received.includes(1), "the first entry, from the other process");
    await server.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    await waitUntil(async () => await works(other), "a new connection");
    await appendTokens(other, 100);
    await waitUntil(async () => received.includes(101), "the stream, on a new connection");
    const tail = await one.revocations.after(position);
    assert.ok(tail.status === "ok" && tail.entries.length >= 102);
    assert.ok(tail.entries.every(({ seq }, i) => seq === i + 1));
    assert.equal(new Set(received).size, received.length, "each entry is published once");
  });

  void test("fault 8: a silent connection of the log reader is replaced", async (t) => {
    const proxy = await UnresponsiveProxy.start(server.port);
    t.after(async () => proxy.close());
    const prefix = `${randomBytes(6).toString("hex")}:`;
    const [one, other] = [
      await open(t, { prefix, url: proxy.url, commandTimeoutMs: DEADLINE_MS }),
      await open(t, { prefix }),
    ];
    const received: string[] = [];
    t.after(async () => unsubscribe());
    const unsubscribe = one.revocations.subscribe((entries) =>
      received.push(...entries.map((e) => e.revocation.id)),
    );
    await waitUntil(async () => proxy.silence("XREAD") === 1, "the blocking read");
    await other.revocations.append(await makeRevocation(other, "token", "unheard"));
    const { entries } = await one.revocations.snapshot();
    assert.equal(entries[0]?.revocation.id, "unheard", "commands have a separate connection");
    await waitUntil(async () => received.includes("unheard"), "a new blocking read");
  });

  void test("fault 9: a log that was trimmed past a reader is a gap, and its snapshot is complete", async (t) => {
    const prefix = `${randomBytes(6).toString("hex")}:`;
    const store = await open(t, { prefix });
    await appendTokens(store, 1);
    const { position } = await store.revocations.snapshot();
    await appendTokens(store, 5);
    await server.cli("XTRIM", `${prefix}{store}:log`, "MAXLEN", "1");
    assert.deepEqual(await store.revocations.after(position), { status: "gap" });
    assert.equal((await store.revocations.snapshot()).entries.length, 6);
    await server.cli("DEL", `${prefix}{store}:log`);
    assert.deepEqual(await store.revocations.after(position), { status: "gap" });
  });

  void test("law 3: a log without its entries in force is reported as corrupt, not as empty", async (t) => {
    const prefix = `${randomBytes(6).toString("hex")}:`;
    const store = await open(t, { prefix });
    await appendTokens(store, 1);
    await server.cli("DEL", `${prefix}{store}:in-force`);
    await assert.rejects(store.revocations.snapshot(), failsWith("store_corrupt"));
  });

  void test("fault 11: an unreadable entry is returned as an entry of unknown kind, beside the readable ones", async (t) => {
    const prefix = `${randomBytes(6).toString("hex")}:`;
    const store = await open(t, { prefix });
    const { position } = await store.revocations.snapshot();
    await appendTokens(store, 1);
    await server.cli("XADD", `${prefix}{store}:log`, "2-0", "at", "1", "entry", "{");
    await server.cli("HSET", `${prefix}{store}`, "seq", "2");
    const tail = await store.revocations.after(position);
    assert.ok(tail.status === "ok");
    assert.deepEqual(
      tail.entries.map(({ seq, revocation }) => [seq, revocation.kind]),
      [
        [1, "token"],
        [2, undefined],
      ],
    );
  });

  void test("fault 15: a newer format is refused, and fields of a newer version are kept", async (t) => {
    const prefix = `${randomBytes(6).toString("hex")}:`;
    const store = await open(t, { prefix });
    await server.cli("HSET", `${prefix}{store}`, "new", "kept");
    await store.markers.claim("a", "b");
    assert.match((await server.cli("HGET", `${prefix}{store}`, "new")) ?? "", /kept/);
    await server.cli("HSET", `${prefix}{store}`, "format", "2");
    await assert.rejects(open(t, { prefix }), failsWith("store_newer"));
  });

  void test("at most a million audit events are kept, so that a flood leaves memory for other data", async (t) => {
    const prefix = `${randomBytes(6).toString("hex")}:`;
    const store = await open(t, { prefix });
    const flood = `local some = {} for i = 1, 5000 do some[i] = '{}' end
      for i = 1, 200 do redis.call('LPUSH', KEYS[1], unpack(some)) end`;
    await server.cli("EVAL", flood, "1", `${prefix}{audit}`);
    const about = { subject: null, session: null, source: null, actor: null, detail: null };
    await store.audit.append({ at: 1, kind: "login", ...about });
    assert.equal(await server.cli("LLEN", `${prefix}{audit}`), ":1000000\r\n");
    assert.equal((await store.audit.recent(1))[0]?.kind, "login");
  });

  void test("fault 42: writes to a server without memory are unavailable, and reads continue", async (t) => {
    const store = await open(t);
    await logIn(store, "s1");
    await server.cli("CONFIG", "SET", "maxmemory", "1");
    try {
      await assert.rejects(present(store, "s1", 1), failsWith("store_unavailable"));
      assert.equal((await store.sessions.get("s1"))?.generation, 1);
    } finally {
      await server.cli("CONFIG", "SET", "maxmemory", "0");
    }
    assert.equal((await present(store, "s1", 1)).outcome, "rotated");
  });

  void test("fault 6: a server that may evict, or is less durable than required, is refused", async (t) => {
    const refused = async (settings: string[], durability: RedisStoreOptions["durability"] = "everysec") => {
      for (const [name, value] of settings.map((line) => line.split(" "))) {
        await server.cli("CONFIG", "SET", name ?? "", value ?? "");
      }
      await assert.rejects(open(t, { durability }), failsWith("invalid_option"), settings.join());
      assert.match((await open(t, { durability: "unchecked" })).description, /\(append/);
    };
    try {
      await refused(["maxmemory-policy allkeys-lru"]);
      await refused(["maxmemory-policy noeviction", "appendfsync everysec"], "always");
      await refused(["appendfsync no"]);
      await refused(["appendfsync always", "appendonly no"]);
    } finally {
      for (const [name, value] of [
        ["appendonly", "yes"],
        ["appendfsync", "always"],
        ["maxmemory-policy", "noeviction"],
      ]) {
        await server.cli("CONFIG", "SET", name ?? "", value ?? "");
      }
    }
    assert.match((await open(t, { durability: "always" })).description, /\(appendfsync always\)$/);
  });

  void test("a server that refuses CONFIG GET is accepted, and described as unknown", async (t) => {
    await server.cli("ACL", "SETUSER", "app", "on", ">secret", "~*", "+@all", "-config");
    const store = await open(t, { url: `redis://app:secret@127.0.0.1:${server.port}` });
    assert.equal(store.description, `redis 127.0.0.1:${server.port} (persistence unknown)`);
    const wrong = { url: `redis://app:hunter22@127.0.0.1:${server.port}`, openTimeoutMs: 2000 };
    await assert.rejects(open(t, wrong), (error) => {
      assert.ok(isHoldfastError(error, "store_unavailable"));
      assert.match(error.message, /WRONGPASS/);
      return !error.message.includes("hunter22");
    });
  });

  void test("law 12: a store that requires a replica does not open without one", async (t) => {
    const requirement = { replicas: 1, durability: "unchecked", commandTimeoutMs: DEADLINE_MS } as const;
    await assert.rejects(open(t, requirement), /0 of 1 replicas/);
  });

  void test("law 3: reading the log fails on a server that refuses writes", async (t) => {
    const store = await open(t);
    const { position } = await store.revocations.snapshot();
    assert.equal((await store.revocations.after(position)).status, "ok");
    await server.cli("CONFIG", "SET", "min-replicas-to-write", "1");
    try {
      const refused = async () =>
        await store.revocations.after(position).then(() => false, failsWith("store_unavailable"));
      await waitUntil(refused, "the next heartbeat");
    } finally {
      await server.cli("CONFIG", "SET", "min-replicas-to-write", "0");
    }
    assert.equal((await store.revocations.after(position)).status, "ok");
  });

  // These tests come last, because they erase the data or stop the server.
  void test("fault 6, fault 62: an emptied store rejects every command of an open store, and never answers as empty", async (t) => {
    const prefix = `${randomBytes(6).toString("hex")}:`;
    const store = await open(t, { prefix });
    await logIn(store, "s1");
    const { position } = await store.revocations.snapshot();
    const scope = await subjectScope(store);
    await server.cli("FLUSHALL");
    const emptied = failsWith("store_emptied");
    const calls: Record<string, () => Promise<unknown>> = {
      now: async () => await store.now(),
      snapshot: async () => await store.revocations.snapshot(),
      after: async () => await store.revocations.after(position),
      append: async () => await store.revocations.append(REVOCATION),
      get: async () => await store.sessions.get("s1"),
      rotate: async () => await rotate(store, "s1", 1),
      listBySubject: async () => await store.sessions.listBySubject("alice", { limit: 9 }),
      endAll: async () => await store.sessions.endAll("alice", "logout_all", scope),
      user: async () => await store.users.get("alice"),
      users: async () => await store.users.list({ limit: 1 }),
      keys: async () => await store.keys.list(),
      marker: async () => await store.markers.claim("id", "x"),
    };
    const check = async (when: string) => {
      for (const [name, call] of Object.entries(calls))
        await assert.rejects(call(), emptied, `${name} ${when}`);
    };
    await check("after FLUSHALL");
    await redisStore({ url: server.url, prefix: store.description }).then(
      async (other) => await other.close(),
    );
    await check("after another process created a new store");
  });

  void test("fault 12: a revocation while the server is down is rejected, and works when the server is back", async (t) => {
    const store = await open(t);
    await logIn(store, "s1");
    const revocation = await makeRevocation(store, "session", "s1");
    await server.kill();
    await assert.rejects(store.revocations.append(revocation), failsWith("store_unavailable"));
    await assert.rejects(store.sessions.end("s1", "logout", revocation), failsWith("store_unavailable"));
    await assert.rejects(rotate(store, "s1", 1), failsWith("store_unavailable"));
    await server.up();
    await waitUntil(async () => await works(store), "the server");
    await store.sessions.end("s1", "logout", revocation);
    assert.equal((await present(store, "s1", 1)).outcome, "ended");
  });

  void test("fault 40, law 12: kill -9 of the server loses no acknowledged write, and forks no session", async (t) => {
    const store = await open(t, { durability: "always" });
    await logIn(store, "s1");
    let generation = 1;
    for (const rotations of [1, 3, 10, 30]) {
      const enough = generation + rotations;
      let killed: Promise<void> | null = null;
      for (;;) {
        const outcome = await rotate(store, "s1", generation).catch(() => null);
        if (outcome === null) break;
        assert.match(outcome.outcome, /^(rotated|repeated)$/);
        generation++;
        if (generation >= enough) killed ??= server.kill();
      }
      await killed;
      await server.up();
      await waitUntil(async () => await works(store), "the server");
      const session = await store.sessions.get("s1");
      assert.ok(session?.generation === generation || session?.generation === generation + 1);
      assert.match((await present(store, "s1", generation)).outcome, /^(rotated|repeated)$/);
      generation++;
    }
  });
});

const REVOCATION = {
  kind: "session",
  id: "s1",
  issuer: "https://id.example.com",
  until: Date.now() + 3_600_000,
} as const;

void test("redisStore rejects wrong options without repeating a credential", async () => {
  const url = "redis://127.0.0.1";
  const wrong = [
    {},
    { url, cluster: [url] },
    { url: "http://user:hunter22@example.com" },
    { url: "redis://user:hunter22@example.com/path" },
    { cluster: [] },
    { sentinel: { url: "redis://main", nodes: [] } },
    { url, prefix: "{a}" },
    { url, commandTimeoutMs: 0 },
    { url, replicas: -1 },
    { url, durability: "sometimes" },
    { url, colour: "red" },
  ];
  for (const options of wrong) {
    await assert.rejects(redisStore(options as RedisStoreOptions), (error) => {
      assert.ok(isHoldfastError(error, "invalid_option"), JSON.stringify(options));
      assert.doesNotMatch(error.message, /hunter22/);
      return true;
    });
  }
});

/** Counts the live sessions of alice, read in pages. */
async function countListed(store: Store): Promise<number> {
  for (let from: SessionPosition | null = null, count = 0; ;) {
    const page: SessionPage = await store.sessions.listBySubject("alice", { after: from, limit: 500 });
    count += page.sessions.length;
    from = page.next;
    if (from === null) return count;
  }
}
