import { systemClock } from "../../../src/core/clock.ts";
import { testDurableStore, testStore } from "../../../src/stores/conformance/index.ts";
import { FakeClock } from "../../../src/testing/fake-clock.ts";
import { seededRandom } from "../../../src/testing/random.ts";
import { RedisDeployment, type DeploymentKind } from "../../../sim/redis/deployment.ts";
import { openSimulatedRedisStore } from "../../../sim/stores/redis-store.ts";

/** Runs the conformance suites on simulated servers that answer at once. */
function runConformance(kind: DeploymentKind): void {
  const open = async () => {
    const clock = new FakeClock();
    // Messages take real time, so a day of the fake clock passes between two of them.
    const servers = { ...systemClock, now: () => clock.now() };
    const none = () => 0;
    const times = { latencyMs: () => 0.01, lagMs: none, demotionMs: none, announcementMs: none };
    const deployment = new RedisDeployment({
      kind,
      clock: servers,
      times,
      appendfsync: "always",
      replicas: 1,
      shards: 3,
    });
    const process = { clock, networkClock: servers, random: seededRandom(1), isAlive: true };
    const store = await openSimulatedRedisStore(deployment, process, { durability: "always" });
    return {
      store,
      clock,
      async reopen() {
        await store.close();
        for (const node of deployment.nodes) node.crash({ power: true });
        for (const node of deployment.nodes) deployment.restart(node);
        return await openSimulatedRedisStore(deployment, process, { durability: "always" });
      },
      close: async () => await store.close(),
    };
  };
  testStore(`redisStore on a simulated ${kind} deployment`, open);
  testDurableStore(`redisStore on a simulated ${kind} deployment`, open);
}

for (const kind of ["single", "sentinel", "cluster"] as const) runConformance(kind);
