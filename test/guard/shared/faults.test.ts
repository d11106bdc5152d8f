import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createFaultProxy } from "../../../src/testing/index.ts";
import { freePort } from "../../support/free-port.ts";
import { noRedis, RedisServer, waitUntil } from "../../support/redis-servers.ts";
import {
  audience,
  degradedVerdict,
  makeFixture,
  minute,
  describeDecision,
  settleWithin,
} from "../degraded/fixture.ts";
import { SharedMap } from "./shared-map.ts";
import { runUntilSettled, sharedStatus, createSharedSetup, describeVerdict } from "./fixture.ts";

/** A deadline on the virtual clock that no real response can miss. */
const longTimeout = { timeoutMs: minute };

void describe("shared answers and the faults of Redis", { skip: noRedis }, () => {
  let server: RedisServer;
  before(async () => (server = await RedisServer.start()));
  after(async () => await server.stop());

  void test("fault 1: the guard starts without Redis, reports it, and uses Redis when it is up", async (t) => {
    const { guard: open, source, provider, clock, events } = await createSharedSetup(t, server);
    const proxy = await createFaultProxy({ target: server.url });
    t.after(async () => await proxy.close());
    proxy.set({ kind: "refuse" });
    const guard = open({ shared: source({ ...longTimeout, url: proxy.url }) });
    await runUntilSettled({ clock }, guard.ready());
    assert.equal(guard.status().state, "degraded");
    assert.match(sharedStatus(guard).lastError ?? "", new RegExp(`127\\.0\\.0\\.1:${proxy.port}`));
    assert.equal(await describeVerdict(guard, provider.token()), "valid from verification");
    proxy.set({ kind: "pass" });
    await waitUntil(async () => {
      await clock.advance(200);
      return guard.status().state === "ready";
    }, "a connection");
    assert.equal(sharedStatus(guard).lastError, null);
    assert.deepEqual(
      events().filter((event) => event !== "shared_failed" && event !== "shared_restored"),
      [],
    );
  });

  void test("fault 1: a closed port does not affect verdicts, and no message contains the password", async (t) => {
    const { guard: open, source, provider, clock } = await createSharedSetup(t, server);
    const url = `redis://:hunter22@127.0.0.1:${await freePort()}`;
    const guard = open({ shared: source({ url }) });
    await runUntilSettled({ clock }, guard.ready());
    for (const token of [provider.token(), provider.opaqueToken()]) {
      assert.equal(await describeVerdict(guard, token), "valid from verification");
    }
    assert.doesNotMatch(JSON.stringify(guard.status()), /hunter22/);
  });

  void test("fault 2: a frozen Redis times out after 50 ms, is then skipped, and is used again after the thaw", async (t) => {
    const { instance, provider, clock, events, asked } = await createSharedSetup(t, server);
    const guard = await instance();
    server.freeze();
    try {
      const first = guard.validate(provider.token());
      assert.equal(describeDecision(await settleWithin(clock, 49, first)), "pending");
      assert.equal(describeDecision(await settleWithin(clock, 1, first)), "valid");
      assert.equal(asked.length, 1);
      await waitUntil(async () => {
        await settleWithin(clock, 200, guard.validate(provider.token()));
        return sharedStatus(guard).breaker === "open";
      }, "a breaker that opens");
      assert.ok(events().includes("shared_failed"));
      assert.equal(guard.status().state, "degraded");
      const { skipped } = sharedStatus(guard);
      for (const token of [provider.token(), provider.opaqueToken()]) {
        assert.equal(
          describeDecision(await settleWithin(clock, 0, guard.validate(token))),
          "valid",
          "the breaker is open",
        );
      }
      assert.equal(sharedStatus(guard).skipped, skipped + 2);
    } finally {
      server.thaw();
    }
    await waitUntil(async () => {
      await clock.advance(25);
      return sharedStatus(guard).breaker === "closed";
    }, "the thaw");
    assert.ok(events().includes("shared_restored"));
  });

  void test("fault 2: a restarted or emptied Redis costs one question to the authority", async (t) => {
    const { instance, provider, asked, clock, written } = await createSharedSetup(t, server);
    const [one, other] = [await instance({}, longTimeout), await instance({}, longTimeout)];
    const token = provider.token();
    assert.equal(await describeVerdict(one, token), "valid from verification");
    await written();
    await server.kill();
    assert.equal(await describeVerdict(other, provider.token()), "valid from verification");
    await server.up();
    await waitUntil(async () => {
      await clock.advance(200);
      return sharedStatus(other).lastError === null;
    }, "a connection");
    assert.equal(
      await describeVerdict(other, token),
      "valid from shared",
      "Redis kept the entry in its file",
    );
    await server.cli("FLUSHALL");
    const third = await instance({}, longTimeout);
    assert.equal(await describeVerdict(third, token), "valid from verification");
    assert.equal(asked.length, 3);
  });

  void test("fault 13: a forged entry, or one with another secret, is a miss and is reported", async (t) => {
    const { instance, provider, respondWith, entries, events, asked, written } = await createSharedSetup(
      t,
      server,
    );
    const token = provider.opaqueToken();
    // An attacker without the secret can find the entry by its key.
    assert.equal(await describeVerdict(await instance(), token), "valid from verification");
    await written();
    const [name = ""] = await entries();
    respondWith({ active: false });
    const wrongSecret = await instance({}, { secret: "another secret that the attacker made up" });
    const yes = provider.opaqueToken();
    respondWith({ active: true, sub: "mallory", aud: audience, exp: 4_000_000_000 });
    await describeVerdict(wrongSecret, yes);
    await written();
    const foreign = (await entries()).find((one) => one !== name) ?? "";
    respondWith({ active: false });
    const values = [
      "",
      "x",
      "y".repeat(600),
      "z".repeat(100_000),
      Buffer.from(JSON.stringify([0, 4e12, { active: true, sub: "mallory" }])).toString("base64url"),
    ];
    const place = [
      ...values.map((value) => async () => await server.cli("SET", name, value)),
      async () => await server.cli("COPY", foreign, name, "REPLACE"),
    ];
    let questions = asked.length;
    for (const put of place) {
      await put();
      const guard = await instance();
      assert.equal(await describeVerdict(guard, token), "invalid: inactive");
      assert.deepEqual([asked.length, sharedStatus(guard).rejected], [++questions, 1]);
      await written();
    }
    assert.equal(events().filter((event) => event === "shared_rejected").length, place.length);
  });

  void test("fault 13: the entry of another token is a miss and is reported", async (t) => {
    const { instance, provider, entries, asked, events, written } = await createSharedSetup(t, server);
    const one = await instance();
    const [good, bad] = [provider.opaqueToken(), provider.opaqueToken({ jti: "bad" })];
    assert.equal(await describeVerdict(one, bad), "valid from verification");
    await written();
    const [badName = ""] = await entries();
    assert.equal(await describeVerdict(one, good), "valid from verification");
    await written();
    const goodName = (await entries()).find((name) => name !== badName) ?? "";
    provider.revoke("bad");
    await server.cli("COPY", goodName, badName, "REPLACE");
    const other = await instance();
    assert.equal(await describeVerdict(other, bad), "invalid: inactive");
    assert.deepEqual([asked.length, sharedStatus(other).rejected], [3, 1]);
    assert.deepEqual(events(), ["shared_rejected"]);
  });

  void test("fault 13, law 2: an expired entry that was put back is a miss and is reported", async (t) => {
    const { instance, provider, entries, clock, asked, events, written } = await createSharedSetup(t, server);
    const token = provider.opaqueToken({ jti: "one" });
    assert.equal(await describeVerdict(await instance(), token), "valid from verification");
    await written();
    const [name = ""] = await entries();
    await server.cli("COPY", name, "elsewhere");
    provider.revoke("one");
    await clock.advance(6 * minute);
    await server.cli("COPY", "elsewhere", name, "REPLACE");
    await server.cli("PERSIST", name);
    const other = await instance();
    assert.equal(await describeVerdict(other, token), "invalid: inactive");
    assert.equal(asked.length, 2);
    assert.equal(sharedStatus(other).rejected, 2, "the entry of the warm-up, and the entry that was read");
    assert.deepEqual(events(), ["shared_rejected"]);
  });

  void test("fault 34: an answer from an instance with a fast clock is ignored", async (t) => {
    const { instance, provider, clock, asked, written } = await createSharedSetup(t, server);
    const [ahead, right] = [await instance(), await instance()];
    const token = provider.opaqueToken();
    clock.setWall(clock.now() + minute);
    await describeVerdict(ahead, provider.token());
    await clock.advance(61_000);
    assert.equal(
      await describeVerdict(ahead, token),
      "valid from verification",
      "the clock is accepted by now",
    );
    await written(1);
    clock.setWall(clock.now() - minute);
    assert.equal(await describeVerdict(right, token), "valid from verification");
    assert.deepEqual([sharedStatus(right).rejected, asked.length], [1, 3]);
  });

  void test("fault 34: an instance with a doubtful clock neither reads nor shares answers", async (t) => {
    const { instance, provider, clock, asked, written, respondWith } = await createSharedSetup(t, server);
    const [one, other] = [await instance(), await instance()];
    const token = provider.opaqueToken();
    respondWith({ active: true, sub: "alice", aud: audience, exp: 4_000_000_000 });
    assert.equal(await describeVerdict(one, token), "valid from verification");
    await written();
    clock.setWall(clock.now() - minute);
    assert.equal(await describeVerdict(other, token), "valid from verification");
    const { hits, misses, lost } = sharedStatus(other);
    assert.deepEqual([asked.length, hits, misses, lost], [2, 0, 0, 0]);
  });
});

test("fault 3: with a Redis of 200 ms latency calls wait for the deadline, then the breaker opens", async (t) => {
  const { guard, provider, clock, events } = await makeFixture(t);
  const shared = new SharedMap();
  const g = guard({ shared });
  await g.ready();
  shared.latencyMs = 200;
  while (sharedStatus(g).breaker === "closed") {
    assert.equal(describeDecision(await settleWithin(clock, 50, g.validate(provider.token()))), "valid");
    await clock.advance(250);
  }
  assert.deepEqual(events(), ["shared_failed"]);
  const reads = shared.reads.length;
  for (let i = 0; i < 100; i++) {
    assert.equal(describeDecision(await settleWithin(clock, 0, g.validate(provider.token()))), "valid");
  }
  assert.equal(shared.reads.length, reads);
  shared.latencyMs = 0;
  await clock.advance(15_000);
  assert.equal(sharedStatus(g).breaker, "closed");
  assert.deepEqual(events(), ["shared_restored"]);
});

test("fault 3: a guard with few requests waits for a slow Redis at most twice", async (t) => {
  const { guard, provider, clock } = await makeFixture(t);
  const shared = new SharedMap();
  const g = guard({ shared });
  await g.ready();
  shared.latencyMs = 200;
  assert.equal(describeDecision(await settleWithin(clock, 50, g.validate(provider.token()))), "valid");
  await clock.advance(10_000);
  assert.equal(describeDecision(await settleWithin(clock, 0, g.validate(provider.token()))), "valid");
});

test("fault 3, fault 25: the shared cache and the authority have one soft timeout together", async (t) => {
  const { guard, provider, clock } = await makeFixture(t);
  const shared = new SharedMap();
  const g = guard({ shared, degraded: "local" });
  await g.ready();
  shared.latencyMs = 200;
  provider.fault("introspection", { latencyMs: 1_000 });
  const verdict = g.validate(provider.token());
  assert.equal(describeDecision(await settleWithin(clock, 79, verdict)), "pending");
  assert.equal(describeDecision(await settleWithin(clock, 1, verdict)), degradedVerdict);
});

test("law 3, fault 34: a no that is learned on a clock that was set back outweighs an earlier shared yes", async (t) => {
  const { guard, provider, clock, asked } = await makeFixture(t);
  const shared = new SharedMap();
  const [one, other] = [guard({ shared }), guard({ shared })];
  await Promise.all([one.ready(), other.ready()]);
  const token = provider.opaqueToken({ jti: "one" });
  assert.equal(await describeVerdict(one, token), "valid from verification");
  provider.revoke("one");
  clock.setWall(clock.now() - 4 * minute);
  assert.equal(await describeVerdict(other, token), "invalid: inactive");
  clock.setWall(clock.now() + 4 * minute);
  // The guard remembers the no to an opaque token for ten seconds.
  await clock.advance(11_000);
  assert.equal(await describeVerdict(other, token), "invalid: inactive");
  assert.equal(asked.length, 3);
});

test("a malformed response of the shared cache is a miss", async (t) => {
  const { guard, provider } = await makeFixture(t);
  const shared = new SharedMap();
  const g = guard({ shared });
  await g.ready();
  const faults = [
    () => null,
    () => [],
    () => [1],
    () => ["no seal"],
    () => ({ length: 1 }),
    () => {
      throw new Error("secret-in-a-message");
    },
  ];
  for (const fault of faults) {
    shared.fault = fault;
    assert.equal(await describeVerdict(g, provider.token()), "valid from verification");
    assert.equal(await describeVerdict(g, provider.opaqueToken()), "valid from verification");
  }
  assert.doesNotMatch(JSON.stringify(g.status()), /secret-in-a-message/);
});

test("reads of one event loop turn are one batch, and at most 5,000 are in flight", async (t) => {
  const { guard, provider, clock } = await makeFixture(t);
  const shared = new SharedMap();
  const g = guard({ shared }, { maxConcurrent: 10_000 });
  await g.ready();
  const tokens = Array.from({ length: 6_000 }, () => provider.opaqueToken());
  shared.latencyMs = 20;
  const verdicts = tokens.map(async (token) => await describeVerdict(g, token));
  await clock.advance(20);
  assert.ok((await Promise.all(verdicts)).every((one) => one === "valid from verification"));
  assert.deepEqual(shared.reads, [5_000]);
  assert.equal(sharedStatus(g).skipped, 1_000);
});

test("closing a guard aborts its reads and closes the shared answers", async (t) => {
  const { guard, provider } = await makeFixture(t);
  const shared = new SharedMap();
  const g = guard({ shared });
  await g.ready();
  shared.fault = async () => await new Promise<never>(() => {});
  const verdict = describeVerdict(g, provider.token());
  await g.close();
  assert.equal(await verdict, "unavailable: closed");
});
