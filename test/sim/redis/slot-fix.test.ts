import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FakeClock } from "../../../src/testing/fake-clock.ts";
import { createModelCluster, connectToModel } from "./model-cluster.ts";

const KEYS = ["{moving}a", "{moving}b"];
/** The replication and the news about a failover take a few milliseconds. */
const SETTLED_MS = 10;

/** A cluster in which the first key has moved to another primary and the second one has not. */
async function beginMove() {
  const clock = new FakeClock();
  const settle = async () => await clock.advance(SETTLED_MS);
  const cluster = createModelCluster(clock);
  const source = cluster.primaries.find((node) => {
    return connectToModel(node)(["SET", "{moving}a", "first"]) === "OK";
  });
  const target = cluster.primaries.find((node) => node !== source);
  assert.ok(source !== undefined && target !== undefined);
  connectToModel(source)(["SET", "{moving}b", "first"]);
  await settle();
  const move = cluster.beginMove("{moving}", target);
  assert.ok(move !== null && move.moveKey());
  await settle();
  return { cluster, settle, source, target, move };
}

void describe("an operator fixes a move after a failover", () => {
  test("the owner gets the keys back from the server that had imported them", async () => {
    const { cluster, settle, source, target, move } = await beginMove();
    assert.ok(cluster.failOver(target));
    await settle();
    assert.match(String(connectToModel(source)(["GET", "{moving}a"])), /^ASK /);
    assert.ok(move.moveKey(), "an interrupted move goes no further");
    assert.ok(move.finish());
    assert.deepEqual(connectToModel(source)(["MGET", ...KEYS]), ["first", "first"]);
  });

  test("the owner keeps its own value of a key that both servers have", async () => {
    const { cluster, settle, source, target, move } = await beginMove();
    assert.equal(cluster.failOver(source), false, "the keys that have moved would be hidden");
    assert.ok(cluster.failOver(source, "most", "hidden"));
    await settle();
    const owner = connectToModel(move.source);
    assert.deepEqual(owner(["MGET", ...KEYS]), [null, "first"]);
    owner(["SET", "{moving}a", "second"]);
    await settle();
    assert.ok(move.finish());
    assert.deepEqual(owner(["MGET", ...KEYS]), ["second", "first"]);
    assert.ok(!target.model.has("{moving}a"));
  });
});
