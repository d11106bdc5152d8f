import assert from "node:assert/strict";
import { after, before, describe, test, type TestContext } from "node:test";
import { createGuard, staticKeys } from "../../../src/index.ts";
import { redisStore } from "../../../src/stores/redis.ts";
import { createMint } from "../../../src/testing/index.ts";
import { UnresponsiveProxy } from "../../support/unresponsive-proxy.ts";
import { noRedis, RedisServer, waitUntil } from "../../support/redis-servers.ts";
import { audience, issuer, onlyIssuer } from "../fixture.ts";

void describe("a guard that follows the log in a real Redis", { skip: noRedis }, () => {
  let server: RedisServer;
  before(async () => (server = await RedisServer.start()));
  after(async () => await server.stop());

  /** A guard whose store is reached at `to`, and a second store that revokes. */
  async function createSetup(t: TestContext, to: string, prefix: string) {
    const here = await redisStore({ url: to, prefix, commandTimeoutMs: 500, openTimeoutMs: 30_000 });
    const there = await redisStore({ url: server.url, prefix, commandTimeoutMs: 2_000 });
    t.after(async () => void (await Promise.all([here.close(), there.close()])));
    const mint = await createMint({ issuer, audience });
    const guard = createGuard({
      issuer,
      audience,
      keys: staticKeys(mint.jwks()),
      revocations: here.revocations,
      revocationPollMs: 50,
      maxRevocationAgeMs: 1_000,
    });
    t.after(async () => await guard.close());
    await guard.ready();
    const log = there.revocations;
    const ask = async (jti: string) => await guard.validate(mint.token({ jti }));
    return {
      guard,
      ask,
      is: async (jti: string, status: string) => (await ask(jti)).status === status,
      revoke: async (id: string) =>
        void (await log.append({ kind: "token", id, issuer, until: Date.now() + 3_600_000 })),
    };
  }

  void test("fault 8: polls replace a stream that delivers nothing", async (t) => {
    const proxy = await UnresponsiveProxy.start(server.port);
    t.after(() => proxy.close());
    const { revoke, is } = await createSetup(t, proxy.url, "deaf:");
    await waitUntil(
      async () => (await Promise.resolve(proxy.silence("XREAD"))) > 0,
      "the stream's connection",
    );
    await revoke("t");
    await waitUntil(async () => await is("t", "invalid"), "the next poll", 2_000);
  });

  void test("fault 8: while no connection responds the view is incomplete and grows older, then it catches up", async (t) => {
    const proxy = await UnresponsiveProxy.start(server.port);
    t.after(() => proxy.close());
    const { guard, revoke, is } = await createSetup(t, proxy.url, "silent:");
    await revoke("before");
    await waitUntil(async () => await is("before", "invalid"), "the first revocation");
    proxy.silence("");
    await revoke("during");
    await waitUntil(
      async () => await Promise.resolve(onlyIssuer(guard).revocations?.complete === false),
      "a missed heartbeat",
    );
    // The store opens new connections.
    await waitUntil(async () => await is("during", "invalid"), "the revocation of the outage");
    await waitUntil(async () => await is("good", "valid"), "a complete view");
    assert.ok(await is("before", "invalid"));
  });

  void test("fault 2, law 3: while the server is frozen a stale view answers 503, and known revocations stay in force", async (t) => {
    const { ask, revoke, is } = await createSetup(t, server.url, "frozen:");
    await revoke("t");
    await waitUntil(async () => await is("t", "invalid"), "the revocation");
    server.freeze();
    try {
      await waitUntil(async () => await is("good", "unavailable"), "a stale view");
      const verdict = await ask("good");
      assert.ok(verdict.status === "unavailable" && verdict.cause === "revocations_stale");
      assert.ok(await is("t", "invalid"));
    } finally {
      server.thaw();
    }
    await waitUntil(async () => await is("good", "valid"), "the thaw");
    assert.ok(await is("t", "invalid"));
  });

  void test("fault 7: a hundred revocations during an outage are all in the view when it is complete again", async (t) => {
    const proxy = await UnresponsiveProxy.start(server.port);
    t.after(() => proxy.close());
    const { guard, revoke, is } = await createSetup(t, proxy.url, "cut:");
    proxy.silence("");
    await waitUntil(
      async () => await Promise.resolve(onlyIssuer(guard).revocations?.complete === false),
      "the outage",
    );
    for (let i = 0; i < 100; i++) await revoke(`t${i}`);
    await waitUntil(
      async () => await Promise.resolve(onlyIssuer(guard).revocations?.complete === true),
      "a complete view",
    );
    for (let i = 0; i < 100; i++) assert.ok(await is(`t${i}`, "invalid"), `t${i}`);
  });

  void test("fault 6: an emptied server does not clear the view", async (t) => {
    const { guard, revoke, is } = await createSetup(t, server.url, "emptied:");
    await revoke("t");
    await waitUntil(async () => await is("t", "invalid"), "the revocation");
    await server.cli("FLUSHALL");
    await waitUntil(async () => await is("good", "unavailable"), "a stale view");
    assert.equal(onlyIssuer(guard).revocations?.complete, false);
    assert.ok(await is("t", "invalid"));
  });
});
