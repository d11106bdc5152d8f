import assert from "node:assert/strict";
import { BlockList } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { HealthMonitor } from "../../../src/server/health/health-monitor.ts";
import { publicApp } from "../../../src/server/http/public-app.ts";
import { composeService } from "../../../src/server/service.ts";
import { openLocalStore } from "../../../src/server/store/local-store.ts";
import type { Role } from "../../../src/server/setting-definitions.ts";
import { FakeClock } from "../../../src/testing/index.ts";
import { temporarySettings } from "../temporary-settings.ts";

const roles = new Set<Role>(["issuer"]);

async function composed(t: TestContext) {
  const settings = await temporarySettings();
  const local = await openLocalStore(settings.dataDir, { create: true, secret: undefined });
  const service = await composeService(local, settings, {
    url: "https://id.example",
    audience: "https://api.example",
  });
  t.after(service.close);
  return { service, file: join(settings.dataDir, "holdfast.db") };
}

test("fault 64: the headline names a lost session, and the command that ends it, as the cause of refreshes with 503", async (t) => {
  const { service, file } = await composed(t);
  await service.issuer.users.add({ username: "ann", password: "correct horse battery" });
  const login = await service.issuer.login({ username: "ann", password: "correct horse battery" }, {});
  assert.ok(login.status === "ok");
  const db = new DatabaseSync(file);
  db.exec("DELETE FROM sessions");
  db.close();
  const monitor = new HealthMonitor(service, roles, new FakeClock());
  const app = publicApp(service, monitor, { trustedProxies: new BlockList(), roles });
  const request = new Request("https://id.example/auth/refresh", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ refresh_token: login.tokens.refresh_token }),
  });
  const answer = await app.fetch(request, { incoming: { socket: { remoteAddress: "203.0.113.1" } } });
  assert.equal(answer.status, 503);
  assert.deepEqual(service.issuer.status().sessions, { damaged: 0, lost: 1 });
  const { headline } = await monitor.check();
  assert.equal(
    headline.text,
    "1 of 1 refreshes answered 5xx in the last 4 s: the store has lost the sessions of these users",
  );
  assert.match(headline.advice ?? "", /holdfast session end ID --force.*audit --kind store_rolled_back/);
  assert.equal(headline.runbook, "HoldfastStoreRolledBack");
});

test("the headline names a damaged session, and blames it only for the failures that it caused", async (t) => {
  const { service } = await composed(t);
  let damaged = 0;
  const status = () => ({ ...service.issuer.status(), sessions: { damaged, lost: 0 } });
  const clock = new FakeClock();
  const parts = { ...service, issuer: { ...service.issuer, status } };
  const monitor = new HealthMonitor(parts, roles, clock);
  damaged = 1;
  monitor.recordAnswer("refresh", 503);
  const { headline } = await monitor.check();
  assert.match(headline.advice ?? "", /holdfast session end ID: holdfast audit --kind record_tampered/);
  assert.equal(headline.runbook, "HoldfastRecordTampered");
  await clock.advance(5_000);
  monitor.recordAnswer("refresh", 503);
  assert.equal((await monitor.check()).headline.runbook, "HoldfastRequestsFailing");
});
