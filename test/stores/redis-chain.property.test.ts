import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { createClient } from "redis";
import { chainDigest, digestRest, type Revocation } from "../../src/core/revocation.ts";
import { makeRevocation } from "../../src/stores/conformance/fixtures.ts";
import { CHAIN_DIGEST } from "../../src/stores/redis/chain-script.ts";
import { redisStore } from "../../src/stores/redis.ts";
import { createFaultProxy } from "../../src/testing/fault-proxy.ts";
import { noRedis, RedisServer } from "../support/redis-servers.ts";

/** Text of any length and alphabet, which JSON escapes in part. */
const text = fc.string({ unit: "binary", maxLength: 200 });
const revocation: fc.Arbitrary<Revocation> = fc
  .record({
    kind: fc.constantFrom("token", "session", "key", "subject"),
    id: text,
    issuer: text,
    until: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
    before: fc.nat({ max: 2 ** 33 }),
  })
  .map(
    ({ before: cutOff, ...rest }) =>
      (rest.kind === "subject" ? { ...rest, before: cutOff } : rest) as Revocation,
  );

void describe("the chain of the revocation log in Redis", { skip: noRedis }, () => {
  let server: RedisServer;
  before(async () => (server = await RedisServer.start()));
  after(async () => await server.stop());

  test("the digest that a script computes is that of chainDigest", async (t) => {
    const client = await createClient({ url: server.url }).connect();
    t.after(() => client.destroy());
    const script = `${CHAIN_DIGEST}return chain_digest(ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4])`;
    const previous = fc.constantFrom(
      "",
      chainDigest("", 1, 1, { kind: "key", id: "k", issuer: "i", until: 1 }),
    );
    const place = fc.tuple(previous, fc.nat(), fc.nat({ max: 2 ** 42 }));
    await fc.assert(
      fc.asyncProperty(place, revocation, async ([chain, seq, at], entry) => {
        const args = [chain, String(seq), String(at), digestRest(entry)];
        assert.equal(await client.eval(script, { arguments: args }), chainDigest(chain, seq, at, entry));
      }),
    );
  });

  test("entries that several processes append at once form one chain, whoever computed a digest", async (t) => {
    const prefix = `${randomBytes(6).toString("hex")}:`;
    const open = async () => await redisStore({ url: server.url, prefix, commandTimeoutMs: 2000 });
    const stores = [await open(), await open(), await open()];
    t.after(async () => void (await Promise.all(stores.map(async (store) => await store.close()))));
    const [first] = stores as [(typeof stores)[number]];
    const { position } = await first.revocations.snapshot();
    const ids = Array.from({ length: 40 }, (_, i) => `t${i}`);
    const appended = await Promise.all(
      stores.flatMap((store) =>
        ids.map(
          async (id) => await store.revocations.append(await makeRevocation(store, "token", `${id} "é" 𝄞`)),
        ),
      ),
    );
    const tail = await first.revocations.after(position);
    assert.ok(tail.status === "ok");
    let chain = "";
    for (const [i, entry] of tail.entries.entries()) {
      assert.equal(entry.seq, i + 1);
      assert.equal(entry.chain, chainDigest(chain, entry.seq, entry.at, entry.revocation));
      ({ chain } = entry);
    }
    assert.equal(tail.entries.length, 120);
    assert.deepEqual(
      appended.toSorted((a, b) => a.seq - b.seq),
      tail.entries,
    );
  });

  test("fault 68: a log-out 15 ms away from Redis succeeds while another service appends without a pause", async (t) => {
    const prefix = `${randomBytes(6).toString("hex")}:`;
    const proxy = await createFaultProxy({ target: server.url });
    proxy.set({ kind: "latency", ms: 15 });
    const near = await redisStore({ url: server.url, prefix, commandTimeoutMs: 2000 });
    const far = await redisStore({ url: proxy.url, prefix, commandTimeoutMs: 2000 });
    const done = new AbortController();
    t.after(async () => {
      done.abort();
      await Promise.all([near.close(), far.close(), proxy.close()]);
    });
    const busy = await makeRevocation(near, "token", "busy");
    let count = 0;
    const append = async () => {
      while (!done.signal.aborted) {
        await near.revocations.append(busy);
        count++;
      }
    };
    const appending = append();
    const revocations = await Promise.all(
      Array.from({ length: 10 }, async (_, i) => await makeRevocation(far, "session", `s${i}`)),
    );
    for (const one of revocations) {
      const seen = count;
      await far.revocations.append(one);
      assert.ok(count > seen, "the other service has appended meanwhile");
    }
    done.abort();
    await appending;
    const { entries } = await near.revocations.snapshot();
    assert.equal(entries.filter(({ revocation: { kind } }) => kind === "session").length, 10);
  });
});
