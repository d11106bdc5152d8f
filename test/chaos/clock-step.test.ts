import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import { createFixture } from "../issuer/fixture.ts";
import { advanceInSteps } from "../issuer/stores.ts";
import { clockedStores, collectAlarms, expectThievesFound, startClients } from "./refreshing-clients.ts";

const CONFLICT_MS = 30_000;
const HOUR_MS = 3_600_000;

for (const { name, skip, open } of clockedStores) {
  for (const [direction, stepMs] of [
    ["forward", HOUR_MS],
    ["back", -HOUR_MS],
  ] as const) {
    const text = `a clock that steps an hour ${direction} between rotation and retry logs no client out, on ${name}`;
    test(`fault 63, law 8: ${text}`, { skip }, async (t) => {
      const clock = new FakeClock();
      const store = await open(t, clock);
      const { issuer } = createFixture({ clock, store });
      t.after(async () => await issuer.close());
      const alarms = collectAlarms(t);
      const clients = await startClients(issuer);
      for (const client of clients) await client.loseRefresh();
      clock.setWall(clock.now() + stepMs);
      for (const client of clients) assert.equal(await client.refresh(), "ok");
      // The clock is set right again, and the answers of the next refreshes are lost as well.
      for (const client of clients) await client.loseRefresh();
      clock.setWall(clock.now() - stepMs);
      for (const client of clients) assert.equal(await client.refresh(), "ok");
      assert.deepEqual(alarms, []);
      await expectThievesFound(issuer, clients, alarms, async () => {
        await advanceInSteps(clock, store, CONFLICT_MS + 1);
      });
    });
  }
}
