import assert from "node:assert/strict";
import dns from "node:dns";
import { after, before, describe, test, type TestContext } from "node:test";
import { isHoldfastError } from "../../src/core/errors.ts";
import type { Store } from "../../src/stores/store.ts";
import { redisStore } from "../../src/stores/redis.ts";
import { noRedis, RedisServer } from "../support/redis-servers.ts";
import { waitUntil } from "../support/deadline.ts";

interface NameServer {
  /** Whether it answers. Lookups that began before it was silent get no answer until it is not. */
  isSilent: boolean;
  /** How many lookups have begun and have no answer. */
  waiting: number;
  /** How many lookups have begun. */
  asked: number;
}

/** Stands for a name server whose every name is this machine. A test cannot silence the server of the machine. */
function replaceNameServer(t: TestContext): NameServer {
  const server: NameServer = { isSilent: false, waiting: 0, asked: 0 };
  const lookUp = async () => {
    server.asked++;
    server.waiting++;
    await waitUntil(async () => !server.isSilent, "an answer of the name server");
    server.waiting--;
    return [{ address: "127.0.0.1", family: 4 }];
  };
  t.mock.method(dns.promises, "lookup", lookUp as unknown as typeof dns.promises.lookup);
  t.after(() => (server.isSilent = false));
  return server;
}

/** Opens a store that gives up each attempt to connect after a second. A busy machine may need several such openings. */
async function openImpatiently(url: string): Promise<Store> {
  const opened: Store[] = [];
  const open = async () =>
    await redisStore({ url, openTimeoutMs: 1000 }).then(
      (store) => opened.push(store) > 0,
      (error: unknown) => {
        if (isHoldfastError(error, "store_unavailable")) return false;
        throw error;
      },
    );
  await waitUntil(open, "a store that opens within a second", 60_000);
  const [store] = opened;
  assert.ok(store);
  return store;
}

void describe("fault 67: a name server without an answer", { skip: noRedis }, () => {
  let server: RedisServer;
  before(async () => (server = await RedisServer.start()));
  after(async () => await server.stop());
  const url = () => `redis://redis.test:${server.port}`;

  test("fault 67: opening a store rejects at its deadline while the name of its host gets no answer, and leaves no connection", async (t) => {
    const nameServer = replaceNameServer(t);
    nameServer.isSilent = true;
    await assert.rejects(redisStore({ url: url(), openTimeoutMs: 300 }), (error) => {
      assert.ok(isHoldfastError(error, "store_unavailable"));
      assert.match(error.message, /redis\.test:\d+: no connection within 300 ms/);
      return true;
    });
    // The lookup of the attempt that was given up ends before that of the next store.
    nameServer.isSilent = false;
    await waitUntil(async () => nameServer.waiting === 0, "the answers of the name server");
    await (await redisStore({ url: url() })).close();
    const connected = async () => (await server.cli("CLIENT", "LIST"))?.match(/ addr=/g)?.length;
    await waitUntil(async () => (await connected()) === 1, "no connection but this one");
  });

  test("fault 67: attempts to connect share one lookup, and the store is back when the name server is", async (t) => {
    const nameServer = replaceNameServer(t);
    const store = await openImpatiently(url());
    t.after(async () => await store.close());
    store.revocations.subscribe(() => undefined);
    const failure = async () =>
      await store.users.get("alice").then(
        () => "",
        (error: Error) => error.message,
      );
    assert.equal(await failure(), "");

    nameServer.isSilent = true;
    const askedBefore = nameServer.asked;
    await server.cli("CLIENT", "KILL", "TYPE", "normal");
    await waitUntil(
      async () => (await failure()).includes("Connection timeout"),
      "an attempt that was given up",
    );
    // The connection for commands and the one for blocking reads try again and again.
    const until = performance.now() + 3000;
    await waitUntil(async () => performance.now() > until, "further attempts");
    assert.equal(nameServer.waiting, 1);
    assert.equal(nameServer.asked, askedBefore + 1);

    nameServer.isSilent = false;
    await waitUntil(async () => (await failure()) === "", "an answer of the store");
    assert.ok(nameServer.asked < askedBefore + 10, `${nameServer.asked - askedBefore} lookups`);
  });
});
