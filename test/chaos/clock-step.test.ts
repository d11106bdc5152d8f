import assert from "node:assert/strict";
import { test } from "node:test";
import { clockedStores, startClockedClients } from "./refreshing-clients.ts";

const HOUR_MS = 3_600_000;

for (const { name, skip, open } of clockedStores) {
  for (const [direction, stepMs] of [
    ["forward", HOUR_MS],
    ["back", -HOUR_MS],
  ] as const) {
    const text = `a clock that steps an hour ${direction} between rotation and retry logs no client out, on ${name}`;
    test(`fault 63, law 8: ${text}`, { skip }, async (t) => {
      const { clock, clients, expectNoAlarms } = await startClockedClients(t, open);
      for (const client of clients) await client.loseRefresh();
      clock.setWall(clock.now() + stepMs);
      for (const client of clients) assert.equal(await client.refresh(), "ok");
      // The clock is set right again, and the answers of the next refreshes are lost as well.
      for (const client of clients) await client.loseRefresh();
      clock.setWall(clock.now() - stepMs);
      for (const client of clients) assert.equal(await client.refresh(), "ok");
      await expectNoAlarms();
    });
  }
}
