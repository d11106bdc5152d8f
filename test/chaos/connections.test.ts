import assert from "node:assert/strict";
import { after, before, describe, test, type TestContext } from "node:test";
import { createConnections } from "../../src/connections/index.ts";
import { createGuard, staticKeys } from "../../src/index.ts";
import { redisStore } from "../../src/stores/redis.ts";
import { createFaultProxy, createMint } from "../../src/testing/index.ts";
import { openConnection } from "../connections/fixture.ts";
import { noRedis, RedisServer, waitUntil } from "../support/redis-servers.ts";

const issuer = "https://id.example";
const audience = "https://api.example";
/** The greatest age of the view of revocations in this test. */
const B_MS = 5_000;

void describe(
  "connections of one user on three instances, one of which cannot reach Redis",
  { skip: noRedis },
  () => {
    let server: RedisServer;
    before(async () => (server = await RedisServer.start()));
    after(async () => await server.stop());

    /** Creates three guards with live connections. The last one reaches Redis through a proxy. Another process revokes. */
    async function three(t: TestContext, prefix: string) {
      const mint = await createMint({ issuer, audience });
      const proxy = await createFaultProxy({ target: server.url });
      t.after(async () => await proxy.close());
      const urls = [server.url, server.url, proxy.url];
      const instances = await Promise.all(
        urls.map(async (url) => {
          const store = await redisStore({ url, prefix, commandTimeoutMs: 500, openTimeoutMs: 30_000 });
          const guard = createGuard({
            issuer,
            audience,
            keys: staticKeys(mint.jwks()),
            revocations: store.revocations,
            revocationPollMs: 100,
            maxRevocationAgeMs: B_MS,
          });
          await guard.ready();
          const connections = createConnections({ guard });
          t.after(async () => {
            await connections.close();
            await guard.close();
            await store.close();
          });
          const alice = await openConnection(connections, mint.token({ sub: "alice", iat: 0 }));
          const bob = await openConnection(connections, mint.token({ sub: "bob" }));
          return { alice, bob, connections };
        }),
      );
      const there = await redisStore({ url: server.url, prefix, commandTimeoutMs: 2_000 });
      t.after(async () => await there.close());
      const revoke = async (id: string) => {
        const expired = Date.now() + 3_600_000;
        await there.revocations.append({ kind: "subject", id, before: 1, issuer, until: expired });
      };
      const [first, second, cut] = instances;
      assert.ok(first && second && cut);
      return { proxy, connected: [first, second], cut, revoke };
    }

    void test("fault 49: two instances close at once, and the third closes when it has read the log again", async (t) => {
      const { proxy, connected, cut, revoke } = await three(t, "catch-up:");
      proxy.set({ kind: "black-hole" });
      await revoke("alice");
      const areClosed = async () =>
        await Promise.resolve(connected.every(({ alice }) => alice.transport.code === 4503));
      await waitUntil(areClosed, "the two instances that read the log");
      assert.equal(cut.alice.transport.code, null, "the third instance has not read the log yet");
      proxy.set({ kind: "pass" });
      await waitUntil(
        async () => await Promise.resolve(cut.alice.transport.closed !== null),
        "the instance that reads the log again",
        B_MS + 2_000,
      );
      assert.equal(cut.alice.transport.code, 4503);
      for (const { bob } of [...connected, cut]) assert.equal(bob.transport.code, null);
    });

    void test("fault 49, law 1: an instance that cannot read the log closes all connections with 4453 at the age limit, and none as invalid", async (t) => {
      const { proxy, connected, cut, revoke } = await three(t, "bound:");
      proxy.set({ kind: "refuse" });
      await revoke("alice");
      await waitUntil(
        async () =>
          await Promise.resolve(cut.alice.transport.closed !== null && cut.bob.transport.closed !== null),
        "the bound",
        B_MS + 3_000,
      );
      for (const { transport } of [cut.alice, cut.bob]) {
        assert.equal(transport.code, 4453);
        assert.ok((transport.closed?.retryAfter ?? 0) >= 1);
      }
      for (const { alice, bob } of connected) {
        assert.deepEqual([alice.transport.code, bob.transport.closed], [4503, null]);
      }
    });
  },
);
