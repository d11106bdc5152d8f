import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../soak/random.ts";
import { stores } from "../issuer/stores.ts";
import { simulateRefreshes } from "./simulate-refreshes.ts";

/** `scripts/soak.ts --part simulation` runs 100,000. */
const REFRESHES: Readonly<Record<string, number>> = { memory: 2000, SQLite: 1000 };

for (const [name, open] of stores) {
  test(`law 8, fault 44, fault 63: lost answers, sleeps and five tabs log nobody out, and every replay is found, on ${name}`, async (t) => {
    await open(async (store, clock) => {
      const refreshes = REFRESHES[name] ?? 1000;
      const figures = await simulateRefreshes({
        store,
        clock,
        random: seededRandom(44),
        refreshes,
        clients: 12,
      });
      t.diagnostic(JSON.stringify(figures));
      const { forcedLogins, falseAlarms, stuck, replays, replaysFound, lost, longestSleepMs } = figures;
      assert.deepEqual({ forcedLogins, falseAlarms, stuck }, { forcedLogins: 0, falseAlarms: 0, stuck: 0 });
      assert.equal(replaysFound, replays);
      assert.ok(
        replays > 0 && lost > refreshes / 40 && longestSleepMs > 8 * 3_600_000,
        "the run proves something",
      );
    });
  });
}
