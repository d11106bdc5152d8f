import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { systemClock } from "../../../src/core/clock.ts";
import { isHoldfastError } from "../../../src/core/errors.ts";
import type { SharedAnswers } from "../../../src/stores/shared-answers.ts";
import { redisAnswers, type RedisAnswersOptions } from "../../../src/stores/redis.ts";
import { createFaultProxy } from "../../../src/testing/index.ts";
import { freePort } from "../../support/free-port.ts";
import {
  noRedis,
  RedisServer,
  startCluster,
  startSentinels,
  waitUntil,
} from "../../support/redis-servers.ts";

const secret = "a secret of the answers and for tests only";
const minute = 60_000;

async function open(t: TestContext, options: Partial<RedisAnswersOptions>): Promise<SharedAnswers> {
  const prefix = `${randomBytes(6).toString("hex")}:`;
  const answers = redisAnswers({ secret, prefix, timeoutMs: 500, ...options }).open({
    clock: systemClock,
    random: Math.random,
  });
  t.after(async () => await answers.close());
  await waitUntil(async () => await works(answers), "a connection");
  return answers;
}

async function works(answers: SharedAnswers): Promise<boolean> {
  try {
    await answers.get(["anything"]);
    return true;
  } catch (error) {
    assert.ok(isHoldfastError(error, "store_unavailable"), String(error));
    return false;
  }
}

async function messageFrom(answers: SharedAnswers): Promise<string> {
  try {
    await answers.get(["anything"]);
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

const entry = (name: string, text: string, replaces = false) => ({ name, text, ttlMs: minute, replaces });

async function keepsTheContract(answers: SharedAnswers): Promise<void> {
  assert.deepEqual(await answers.get(["a", "b"]), [null, null]);
  await answers.set([entry("a", "1"), entry("b", "ünï")]);
  assert.deepEqual(await answers.get(["b", "none", "a"]), ["ünï", null, "1"]);
  await answers.set([entry("a", "2"), entry("b", "3", true)]);
  assert.deepEqual(
    await answers.get(["a", "b"]),
    ["1", "3"],
    "only an entry with replaces overwrites another",
  );
  assert.deepEqual(await answers.recent("list"), []);
  await answers.used("list", ["a"]);
  await anotherMillisecond();
  await answers.used("list", ["b"]);
  assert.deepEqual(await answers.recent("list"), ["b", "a"]);
  assert.deepEqual(await answers.recent("another"), []);
}

/** Redis orders the list by its clock, in milliseconds. */
const anotherMillisecond = async () => await pause(2);

void describe("redisAnswers", { skip: noRedis }, () => {
  let server: RedisServer;
  before(async () => (server = await RedisServer.start(["maxmemory-policy allkeys-lru"])));
  after(async () => await server.stop());

  void test("keeps the contract on one server", async (t) => {
    await keepsTheContract(await open(t, { url: server.url }));
  });

  void test("keeps the contract on a cluster", async (t) => {
    const cluster = await startCluster();
    t.after(async () => await cluster.stop());
    await keepsTheContract(await open(t, { cluster: cluster.urls }));
  });

  void test("keeps the contract on a primary behind Sentinels", async (t) => {
    const sentinels = await startSentinels();
    t.after(async () => await sentinels.stop());
    await keepsTheContract(await open(t, { sentinel: sentinels.options }));
  });

  void test("entries and unused lists expire in Redis", async (t) => {
    const prefix = "kept:";
    const answers = await open(t, { url: server.url, prefix });
    await answers.set([entry("a", "1")]);
    await answers.used("list", ["a"]);
    const left = async (key: string) => Number((await server.cli("PTTL", key))?.match(/\d+/)?.[0]);
    assert.ok((await left(`${prefix}{answer:a}`)) > minute - 10_000);
    assert.ok((await left(`${prefix}{answers:list}`)) > 23 * 60 * minute);
  });

  void test("a list keeps the 10,000 most recently used names", async (t) => {
    const prefix = "long:";
    const answers = await open(t, { url: server.url, prefix });
    await answers.used("list", ["oldest"]);
    await anotherMillisecond();
    for (let i = 0; i < 10; i++) {
      await answers.used(
        "list",
        Array.from({ length: 1000 }, (_, n) => `${i}-${n}`),
      );
    }
    const recent = await answers.recent("list");
    assert.equal(recent.length, 10_000);
    assert.ok(!recent.includes("oldest"));
  });

  void test("fault 1: a server that is down does not delay open(), and is used when it is up", async (t) => {
    const port = await freePort();
    const proxy = await createFaultProxy({ target: server.url });
    t.after(async () => await proxy.close());
    proxy.set({ kind: "refuse" });
    const source = (url: string) => redisAnswers({ url, secret, timeoutMs: 200 });
    const context = { clock: systemClock, random: Math.random };
    const [nowhere, later] = [
      source(`redis://:hunter22@127.0.0.1:${port}`).open(context),
      source(proxy.url).open(context),
    ];
    t.after(async () => await Promise.all([nowhere.close(), later.close()]));
    await assert.rejects(nowhere.get(["a"]), /not connected yet/);
    await waitUntil(async () => !(await messageFrom(nowhere)).includes("yet"), "an attempt to connect");
    await assert.rejects(nowhere.get(["a"]), (error) => {
      assert.ok(isHoldfastError(error, "store_unavailable"));
      assert.match(error.message, /ECONNREFUSED/);
      assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${port}`));
      assert.doesNotMatch(error.message, /hunter22/);
      return true;
    });
    assert.equal(await works(later), false);
    proxy.set({ kind: "pass" });
    await waitUntil(async () => await works(later), "a connection");
  });

  void test("fault 2: a frozen server times out at the deadline, and is used again after the thaw", async (t) => {
    const answers = await open(t, { url: server.url, timeoutMs: 50 });
    server.freeze();
    try {
      assert.equal(await works(answers), false);
    } finally {
      server.thaw();
    }
    await waitUntil(async () => await works(answers), "the thaw");
  });

  void test("wrong options are rejected by name, without their values", () => {
    const refused: [Partial<RedisAnswersOptions>, RegExp][] = [
      [{}, /redisAnswers needs one of url, cluster and sentinel/],
      [{ url: "http://127.0.0.1" }, /redisAnswers: url must be redis:/],
      [{ url: server.url, secret: "too short" }, /redisAnswers: secret must be at least 32/],
      [{ url: server.url, timeoutMs: 0 }, /redisAnswers: timeoutMs must be/],
      [{ url: server.url, prefix: "{a}" }, /redisAnswers: prefix must be/],
      [{ url: server.url, urls: 1 } as object, /redisAnswers has no option "urls"/],
    ];
    for (const [options, message] of refused) {
      assert.throws(
        () => redisAnswers({ secret, ...options }),
        (error) => {
          assert.ok(isHoldfastError(error, "invalid_option"));
          assert.match(error.message, message);
          assert.doesNotMatch(error.message, /too short|a secret of/);
          return true;
        },
      );
    }
  });

  void test("the first of several secrets counts, and each purpose has its own key", () => {
    const key = (of: string, purpose = "names") =>
      Buffer.from(redisAnswers({ url: server.url, secret: of }).deriveKey(purpose)).toString("hex");
    assert.equal(key(`${secret}, ${"another ".repeat(5)}`), key(secret));
    assert.notEqual(key(secret, "seals"), key(secret));
    assert.notEqual(key("another ".repeat(5)), key(secret));
    assert.equal(key(secret).length, 64);
  });
});
