import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createClient } from "redis";
import { computeSlot } from "../../../src/stores/redis/cluster-slot.ts";
import { seededRandom } from "../../../src/testing/random.ts";
import type { RedisNode } from "../../../sim/redis/node.ts";
import { slotOf } from "../../../sim/redis/slot-table.ts";
import { noRedis, startCluster, type RedisCluster, type RedisServer } from "../../support/redis-servers.ts";
import { SlotMove } from "../../support/slot-move.ts";
import { connectToModel, createModelCluster } from "./model-cluster.ts";

const KEYS = ["{moving}a", "{moving}b", "{moving}c"];
const SLOT = computeSlot("{moving}");
const ROUNDS = 6;
const STEPS = 60;

/** Where in a script an error happened. The model and Redis name different lines. */
const PLACE = /( script: [\da-f]+,)? on @user_script:\d+\.?/g;
const SCRIPTS = [
  "redis.call('DEL', KEYS[1]) redis.call('SET', KEYS[1], 'again') return 1",
  "return redis.call('GET', KEYS[1])",
  "redis.call('SET', KEYS[1], 'by a script') return redis.call('EXISTS', KEYS[1])",
  "return {redis.call('EXISTS', KEYS[1]), redis.call('EXISTS', KEYS[2] or KEYS[1])}",
];

/** A command on one, two or three of the keys. */
function drawCommand(random: () => number): string[] {
  const pick = <T>(items: readonly T[]) => items[Math.floor(random() * items.length)] as T;
  const [one, other] = [pick(KEYS), pick(KEYS)];
  return pick<string[]>([
    ["GET", one],
    ["SET", one, pick(["v", "w"])],
    ["DEL", one],
    ["DEL", one, other],
    ["EXISTS", one, other],
    ["EXISTS", ...KEYS],
    ["EVAL", pick(SCRIPTS), "1", one],
    ["EVAL", pick(SCRIPTS), "2", one, other],
  ]);
}

void describe("a slot that moves in the model and in a real cluster", { skip: noRedis }, () => {
  let cluster: RedisCluster;
  before(async () => (cluster = await startCluster()));
  after(async () => await cluster.stop());

  async function connectToServer(server: RedisServer) {
    const client = createClient({ url: server.url, RESP: 2 });
    await client.connect();
    const send = async (command: readonly string[]) =>
      await client.sendCommand([...command]).catch((error: Error) => error.message);
    return { send, close: () => client.destroy() };
  }

  test("both answer commands on its keys alike, at every moment of the move", async (t) => {
    const random = seededRandom(7);
    const model = createModelCluster();
    const first = Math.floor(SLOT / Math.ceil(16_384 / 3));
    const pair = [first, (first + 1) % 3];
    const servers = pair.map((index) => cluster.servers[index] as RedisServer);
    const nodes = pair.map((index) => model.primaries[index] as RedisNode);
    const clients = await Promise.all(servers.map(connectToServer));
    t.after(() => clients.forEach(({ close }) => close()));
    const senders = nodes.map(connectToModel);
    const seen = new Set<string>();
    const named = (reply: unknown) => {
      let text = JSON.stringify(reply).replaceAll(PLACE, "");
      for (const i of [0, 1]) {
        text = text
          .replaceAll(`127.0.0.1:${servers[i]?.port}`, `server ${i}`)
          .replaceAll(nodes[i]?.name ?? "", `server ${i}`);
      }
      seen.add(/[A-Z]{3,}/.exec(text)?.[0] ?? "a value");
      return text;
    };
    const compare = async () => {
      const at = Math.floor(random() * 2);
      const command = drawCommand(random);
      const commands = random() < 0.5 ? [["ASKING"], command] : [command];
      const actual = await Promise.all(commands.map(async (one) => await clients[at]?.send(one)));
      const expected = commands.map((one) => senders[at]?.(one));
      assert.equal(named(expected), named(actual), `${JSON.stringify(commands)} to server ${at}`);
    };

    for (let round = 0; round < ROUNDS; round++) {
      const [from, to] = round % 2 === 0 ? [0, 1] : [1, 0];
      const real = new SlotMove(SLOT, servers[from] as RedisServer, servers[to] as RedisServer);
      const source = nodes[from] as RedisNode;
      for (let i = 0; i < STEPS; i++) await compare();
      const move = model.beginMove(KEYS[0] ?? "", nodes[to] as RedisNode);
      assert.ok(move !== null);
      await real.begin();
      for (let isLeft = true; isLeft;) {
        for (let i = 0; i < STEPS; i++) await compare();
        const next = source.model.keys.names().find((name) => slotOf(name) === SLOT);
        isLeft = move.moveKey();
        if (next !== undefined) await real.moveKey(next);
      }
      move.finish();
      await real.finish();
    }
    assert.ok(
      ["ASK", "MOVED", "TRYAGAIN", "ERR"].every((code) => seen.has(code)),
      [...seen].join(),
    );
  });
});
