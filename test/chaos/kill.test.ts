import assert from "node:assert/strict";
import { test } from "node:test";
import { openDeployment } from "../soak/deployment.ts";
import { verify } from "../support/auth-calls.ts";
import { assertOneSuccessor, runKillRounds } from "../support/kill-rounds.ts";
import { noRedis } from "../support/redis-servers.ts";

/** Each kill hits this many rotations. The start of a process costs more than a second, and a rotation next to nothing. */
const SESSIONS = 24;
/** Dozens of processes start, on a machine that may be busy. */
const TIMEOUT_MS = 540_000;

/** On Redis, every second round kills Redis, and the others kill the service. */
for (const [name, rounds] of [
  ["SQLite", 36],
  ["Redis", 12],
] as const) {
  test(
    `fault 40: every session is usable and not forked after ${rounds} kills at random points of ${SESSIONS} rotations on ${name}`,
    { skip: name === "Redis" && noRedis, timeout: TIMEOUT_MS },
    async (t) => {
      const place = await openDeployment(name);
      t.after(async () => await place.close());
      const start = async () => await place.start();
      const store = place.redis ?? undefined;
      const killed = await runKillRounds({ start, store, rounds, sessions: SESSIONS, random: Math.random });
      t.diagnostic(`${killed.lost} of ${rounds * SESSIONS} answers were lost to the kills`);
      assert.ok(killed.lost > 0, "no kill hit a rotation, so the test shows nothing");
      for (const client of killed.clients) {
        assert.equal(await verify(killed.service.url, client.tokens.access_token), 200);
        await assertOneSuccessor(killed.service.url, client);
      }
    },
  );
}
