import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createClient } from "redis";
import { computeSlot } from "../../../src/stores/redis/cluster-slot.ts";
import { FakeClock } from "../../../src/testing/fake-clock.ts";
import type { RedisDeployment } from "../../../sim/redis/deployment.ts";
import type { RedisNode } from "../../../sim/redis/node.ts";
import {
  noRedis,
  startCluster,
  waitUntil,
  type RedisCluster,
  type RedisServer,
} from "../../support/redis-servers.ts";
import { SlotMove } from "../../support/slot-move.ts";
import { connectToModel, createModelCluster } from "./model-cluster.ts";

const readMessage = ({ message }: Error) => message;
const shardOf = (key: string) => Math.floor(computeSlot(key) / Math.ceil(16_384 / 3));

/** Returns the first tag whose keys a shard has. */
function tagOf(shard: number): string {
  for (let i = 0; ; i++) if (shardOf(`{tag-${i}}`) === shard) return `{tag-${i}}`;
}

/** Returns the replies to each command without `ASKING`, and then behind it, over one connection. */
async function askServer({ url }: RedisServer, commands: readonly string[][]): Promise<unknown[]> {
  const client = createClient({ url, RESP: 2 });
  await client.connect();
  const send = async (command: string[]) => await client.sendCommand(command).catch(readMessage);
  try {
    const replies: unknown[] = [];
    for (const command of commands)
      replies.push(await send(command), await send(["ASKING"]), await send(command));
    return replies;
  } finally {
    client.destroy();
  }
}

function askModel(node: RedisNode, commands: readonly string[][]): unknown[] {
  const send = connectToModel(node);
  return commands.flatMap((command) => [send(command), send(["ASKING"]), send(command)]);
}

/** The servers of a real cluster and those of the model in the same order: three primaries, then their replicas. */
function pairUp(cluster: RedisCluster, model: RedisDeployment): [RedisServer, RedisNode][] {
  const { nodes } = model;
  const ordered = [0, 2, 4, 1, 3, 5].map((index) => nodes[index] as RedisNode);
  return cluster.servers.map((server, index) => [server, ordered[index] as RedisNode]);
}

/** Writes replies with one name for each server. The slot in the reply of a replica of the model is not read. */
function describeReplies(replies: readonly unknown[], names: readonly string[]): string[] {
  return replies.map((reply) => {
    const text = JSON.stringify(reply).replace(/MOVED \d+/, "MOVED");
    return names.reduce((named, name, index) => named.replaceAll(name, `server ${index}`), text);
  });
}

/** Resolves when the servers at these places answer as those of the model. The real servers need a moment for that. */
async function expectSameReplies(
  pairs: readonly [RedisServer, RedisNode][],
  places: readonly number[],
  commands: readonly string[][],
): Promise<Set<string>> {
  const real = pairs.map(([{ port }]) => `127.0.0.1:${port}`);
  const modelled = pairs.map(([, { name }]) => name);
  const seen = new Set<string>();
  for (const place of places) {
    const [server, node] = pairs[place] as [RedisServer, RedisNode];
    const expected = describeReplies(askModel(node, commands), modelled);
    let actual: string[] = [];
    const isSame = async () => {
      actual = describeReplies(await askServer(server, commands), real);
      return JSON.stringify(actual) === JSON.stringify(expected);
    };
    await waitUntil(isSame, "the same replies").catch(() => {});
    assert.deepEqual(actual, expected, `server ${place}`);
    for (const reply of expected) seen.add(/[A-Z]{3,}/.exec(reply)?.[0] ?? "a value");
  }
  return seen;
}

void describe("a failover while a slot moves, in the model and in a real cluster", { skip: noRedis }, () => {
  let cluster: RedisCluster;
  const clock = new FakeClock();
  const model = createModelCluster(clock);
  before(async () => (cluster = await startCluster()));
  after(async () => await cluster.stop());

  for (const [failed, from, to] of [
    ["target", 2, 0],
    ["source", 1, 2],
  ] as const) {
    test(`every server answers commands on its keys alike after a failover of the ${failed}`, async () => {
      const pairs = pairUp(cluster, model);
      const [source, target] = [pairs[from], pairs[to]] as [
        [RedisServer, RedisNode],
        [RedisServer, RedisNode],
      ];
      const tag = tagOf(from);
      const keys = [`${tag}a`, `${tag}b`, `${tag}c`];
      const send = connectToModel(source[1]);
      for (const key of keys.slice(0, 2)) {
        assert.equal(await source[0].cli("SET", key, key), "+OK\r\n");
        assert.equal(send(["SET", key, key]), "OK");
      }
      await clock.advance(10);
      const real = new SlotMove(computeSlot(tag), source[0], target[0]);
      const move = model.beginMove(tag, target[1]);
      assert.ok(move !== null);
      await real.begin();
      move.moveKey();
      await real.moveKey(keys[0] ?? "");
      await clock.advance(10);

      const index = failed === "source" ? from : to;
      const [primary, replica] = [pairs[index], pairs[index + 3]] as [typeof source, typeof source];
      assert.ok(model.failOver(primary[1], "most", "hidden"));
      await clock.advance(10);
      assert.equal(await replica[0].cli("CLUSTER", "FAILOVER"), "+OK\r\n");
      const others = [["GET", `${tagOf(to)}of the target`]];
      const seen = await expectSameReplies(pairs, [to], others);
      const commands = [...keys.map((key) => ["GET", key]), ["EXISTS", keys[0] ?? "", keys[1] ?? ""]];
      // A replica of the model names its own primary for every key, so only the servers of the slot are compared.
      const places = failed === "source" ? [from, from + 3, to] : [from, from + 3, to + 3];
      for (const reply of await expectSameReplies(pairs, places, commands)) seen.add(reply);
      assert.ok(seen.has(failed === "source" ? "CLUSTERDOWN" : "ASK"), [...seen].join());
    });
  }
});
