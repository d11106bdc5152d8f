import assert from "node:assert/strict";
import { test } from "node:test";
import { redisStore } from "../../src/stores/redis.ts";
import { noRedis, RedisServer } from "../support/redis-servers.ts";

const COUNT = 2_500;

for (const [what, untilOf] of [
  ["with one lifetime", (i: number) => 10_000 + i],
  ["with different lifetimes", (i: number) => 10_000 + ((i * 7919) % COUNT)],
] as const) {
  test(
    `a large snapshot of revocations ${what} is complete and in the order of the log`,
    { skip: noRedis },
    async () => {
      const server = await RedisServer.start();
      const store = await redisStore({ url: server.url });
      try {
        const now = await store.now();
        const appended = await Promise.all(
          Array.from({ length: COUNT }, async (_, i) => {
            const revocation = {
              kind: "token",
              id: `t${i}`,
              issuer: "https://id.example.com",
              until: 0,
            } as const;
            return await store.revocations.append({ ...revocation, until: now + 1000 * untilOf(i) });
          }),
        );
        const { entries, position } = await store.revocations.snapshot();
        assert.deepEqual(
          entries.map(({ seq }) => seq),
          Array.from({ length: COUNT }, (_, i) => i + 1),
        );
        assert.deepEqual(
          entries,
          appended.toSorted((a, b) => a.seq - b.seq),
        );
        assert.equal(position.seq, COUNT);
      } finally {
        await store.close();
        await server.stop();
      }
    },
  );
}
