import assert from "node:assert/strict";
import { test } from "node:test";
import { makeFixture } from "../guard/fixture.ts";
import { metricTotal, observationCount } from "../support/metric-values.ts";
import { createTestConnections, openConnection } from "./fixture.ts";

test("law 10: connections are counted by state and close code, with the delay from a revocation to the close", async (t) => {
  const { guard: open, mint, log, clock, revoke } = await makeFixture();
  const guard = open({ revocations: log, name: "chat" });
  t.after(async () => await guard.close());
  await guard.ready();
  const connections = createTestConnections(t, guard, clock);
  const first = await openConnection(connections, mint.token({ sid: "s1" }));
  const second = await openConnection(connections, mint.token({ sid: "s2" }));
  const total = (name: string, labels: Record<string, string>) =>
    metricTotal(connections, `holdfast_connection${name}`, { guard: "chat", ...labels });
  assert.equal(total("s", { state: "open" }), 2);
  assert.equal(total("s_opened_total", {}), 2);
  assert.ok(total("s_limit", {}) > 2);
  await revoke("session", "s1");
  await clock.advance(10);
  first.connection.closed();
  assert.equal(first.transport.code, 4503);
  assert.equal(total("s_closed_total", { code: "4503" }), 1);
  const delays = "holdfast_connection_close_delay_seconds";
  assert.equal(observationCount(connections, delays, { reason: "token_revoked" }), 1);
  second.connection.closed();
  assert.equal(total("s_closed_total", { code: "peer" }), 1);
  assert.equal(total("s", { state: "open" }), 0);
});
