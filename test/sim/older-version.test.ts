import assert from "node:assert/strict";
import { test } from "node:test";
import { slotOf } from "../../sim/redis/slot-table.ts";
import { SimulatedRedis } from "../../sim/stores/redis.ts";
import { logIn } from "../../src/stores/conformance/fixtures.ts";
import { World } from "../../src/testing/simulation/index.ts";
import { answerAsOlderVersion } from "../../sim/older/answers.ts";
import { createIssuer } from "../../src/issuer/create-issuer.ts";
import { memoryStore } from "../../src/stores/memory.ts";

const url = "https://auth.example.com";
const clients = [{ id: "guard", secret: "a secret of the guards of this test" }];

test("a service of an older version knows no pages of the log, and no numbers of cut-offs", async (t) => {
  const store = memoryStore();
  const secret = "a secret that has at least 32 bytes";
  const issuer = createIssuer({ url, audience: url, store, secret, clients, algorithm: "EdDSA" });
  t.after(async () => await issuer.close());
  await issuer.revoke({ kind: "subject", id: "ann" });
  const read = async (query: string, isOlder: boolean) => {
    const authorization = `Basic ${btoa(`guard:${clients[0]?.secret}`)}`;
    const request = new Request(`${url}/auth/revocations${query}`, { headers: { authorization } });
    const answer = async (one: Request) => await issuer.fetch(one);
    const response = await (isOlder ? answerAsOlderVersion(answer, request) : answer(request));
    return (await response.json()) as { entries: { revocation: object }[]; next?: null };
  };
  const [page, snapshot] = [await read("?page=", false), await read("?page=", true)];
  assert.ok("next" in page);
  assert.ok(!("next" in snapshot));
  const [numbered, plain] = [page, snapshot].map(({ entries }) => entries[0]?.revocation);
  assert.ok(numbered !== undefined && "number" in numbered);
  const { number: _, ...rest } = numbered;
  assert.deepEqual(plain, rest);
});

test("the older version writes the records of a cluster, except those of a slot that moves", async () => {
  const world = new World({ seed: 1 });
  const redis = new SimulatedRedis({ kind: "cluster", clock: world.clock, random: world.random });
  world.process("service", async (context) => {
    const store = await redis.connect(null, context);
    for (const id of ["moves", "stays"]) await logIn(store, id);
  });
  await world.run(10_000);
  const { deployment } = redis;
  const find = (id: string) => {
    const key = `holdfast:{session:${id}}`;
    const owner = deployment.primaries.find(({ model }) => model.has(key));
    assert.ok(owner !== undefined);
    return { key, owner };
  };
  const [moves, stays] = [find("moves"), find("stays")];
  assert.notEqual(slotOf(moves.key), slotOf(stays.key));
  const target = deployment.primaries.find((node) => node !== moves.owner);
  assert.ok(target !== undefined && deployment.beginMove(moves.key, target) !== null);
  redis.writeOlderRecords({ at: 0, schema: 1, share: 1 });
  assert.equal(moves.owner.model.keys.typeOf(moves.key), "string");
  assert.equal(stays.owner.model.keys.typeOf(stays.key), "hash");
});
