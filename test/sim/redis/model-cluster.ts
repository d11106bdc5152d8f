import type { Clock } from "../../../src/core/clock.ts";
import { FakeClock } from "../../../src/testing/fake-clock.ts";
import { toBytes, toClientReply } from "../../../sim/redis/bytes.ts";
import { RedisDeployment } from "../../../sim/redis/deployment.ts";
import type { RedisNode } from "../../../sim/redis/node.ts";
import { ErrorReply } from "../../../sim/redis/reply.ts";

/** A cluster of the model with three primaries and one replica of each, in which nothing takes time. */
export function createModelCluster(clock: Clock = new FakeClock()): RedisDeployment {
  const times = { latencyMs: () => 0, lagMs: () => 0, demotionMs: () => 0, announcementMs: () => 0 };
  return new RedisDeployment({
    kind: "cluster",
    clock,
    times,
    appendfsync: "always",
    replicas: 1,
    shards: 3,
  });
}

/** Sends commands to a server of the model over one connection. */
export function connectToModel(node: RedisNode): (command: readonly string[]) => unknown {
  const connection = { lastWrite: 0, isAsking: false, behind: null, onClosed: () => {} };
  node.connect(connection);
  return (command) => {
    let reply: unknown;
    node.handle(connection, command.map(toBytes), (answer) => {
      reply = toClientReply(answer instanceof ErrorReply ? answer.message : answer);
    });
    return reply;
  };
}
