import assert from "node:assert/strict";
import { test } from "node:test";
import { createLogger } from "../../src/server/logs.ts";
import { startService } from "../../src/server/serve.ts";
import { registerSdk, spanNamed, takeSpans } from "../metrics/tracing-fixture.ts";
import { login, refresh, verify } from "../support/auth-calls.ts";
import { temporarySettings } from "./temporary-settings.ts";

registerSdk();

async function spansOfService(more: Record<string, string>, work: (address: string) => Promise<void>) {
  const running = await startService(await temporarySettings(more), createLogger("silent"));
  try {
    takeSpans();
    await work(running.publicAddress);
    return takeSpans();
  } finally {
    await running.stop();
  }
}

async function useService(address: string): Promise<void> {
  const { access_token: accessToken, refresh_token: refreshToken } = await login(address);
  assert.equal(await verify(address, accessToken), 200);
  assert.equal((await refresh(address, refreshToken)).status, 200);
}

test("with HOLDFAST_TRACES=on, logins, refreshes, store commands and decisions of the service are spans", async () => {
  const spans = await spansOfService({ HOLDFAST_TRACES: "on" }, useService);
  const rotation = spanNamed(spans, "holdfast.store.sessions.rotate");
  assert.equal(rotation.attributes["db.system.name"], "sqlite");
  const parent = spanNamed(spans, "holdfast.refresh").spanContext().spanId;
  assert.equal(rotation.parentSpanContext?.spanId, parent);
  assert.equal(spanNamed(spans, "holdfast.login").attributes["holdfast.outcome"], "ok");
  assert.equal(spanNamed(spans, "holdfast.authorize").attributes["holdfast.guard"], "service");
});

test("the service records no span by default", async () => {
  assert.deepEqual(await spansOfService({}, useService), []);
});
