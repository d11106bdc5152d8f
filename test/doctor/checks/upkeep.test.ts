import assert from "node:assert/strict";
import { chmod, mkdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { backupCheck } from "../../../src/doctor/checks/backup.ts";
import { browsersCheck } from "../../../src/doctor/checks/browsers.ts";
import { gatewayCheck } from "../../../src/doctor/checks/gateway.ts";
import { healthCheck } from "../../../src/doctor/checks/health.ts";
import { judgeLimits, limitsCheck } from "../../../src/doctor/checks/limits.ts";
import { snapshotsCheck } from "../../../src/doctor/checks/snapshots.ts";
import { usersCheck } from "../../../src/doctor/checks/users.ts";
import type { Check } from "../../../src/doctor/check.ts";
import { loadContext } from "../../../src/doctor/context.ts";
import type { ServiceHealth } from "../../../src/server/health/service-health.ts";
import {
  assertHealthy,
  assertProblem,
  findings,
  makeContext,
  makeSettings,
  noOptions,
  providerSettings,
  serve,
  startProvider,
} from "../fixture.ts";

const DAY_MS = 86_400_000;
const MEGABYTE = 1_048_576;

/** Sets the time of a file this many days back. */
async function age(file: string, days: number): Promise<void> {
  const at = new Date(Date.now() - days * DAY_MS - 60_000);
  await utimes(file, at, at);
}

test("backup: new data need none, older data without one and an old one are warnings", async (t) => {
  const settings = await makeSettings();
  const service = await serve(t, settings);
  await service.stop();
  const context = await makeContext(settings);
  assertHealthy(await findings(backupCheck, context));
  await age(context.files.marker, 3);
  assertProblem(await findings(backupCheck, context), "warn", /no back-up .+ 3 days old/, /holdfast backup/);
  await writeFile(context.files.lastBackup, "");
  assertHealthy(await findings(backupCheck, context));
  await age(context.files.lastBackup, 2);
  assertProblem(await findings(backupCheck, context), "warn", /last back-up is 2 days old/, /restore one/);
});

test("users: the generated password of the first user is a warning after a day", async (t) => {
  const settings = await makeSettings();
  await serve(t, settings);
  const context = await makeContext(settings);
  assertHealthy(await findings(usersCheck, context));
  await age(context.files.password, 2);
  assertProblem(
    await findings(usersCheck, context),
    "warn",
    /still in .+admin-password/,
    /user password admin/,
  );
});

test("users: a first password that stays in the settings is a warning after a day", async (t) => {
  const settings = await makeSettings({ HOLDFAST_BOOTSTRAP_USER: "alice:correct horse battery" });
  await serve(t, settings);
  const given = [{ name: "HOLDFAST_BOOTSTRAP_USER", source: "environment" }];
  const context = await loadContext(settings, given, noOptions);
  assertHealthy(await findings(usersCheck, context));
  await age(context.files.marker, 2);
  assertProblem(
    await findings(usersCheck, context),
    "warn",
    /HOLDFAST_BOOTSTRAP_USER is still set/,
    /remove it/,
  );
});

test("browsers: pages and services on plain http are warnings, except on this machine", async () => {
  const check = async (settings: Record<string, string>) =>
    await findings(browsersCheck, await makeContext(await makeSettings(settings)));
  assertHealthy(await check({ HOLDFAST_CORS_ORIGINS: "https://app.example,http://localhost:5173" }));
  const page = await check({ HOLDFAST_CORS_ORIGINS: "http://app.example" });
  assertProblem(page, "warn", /pages of http:\/\/app\.example/, /https/);
  const own = { HOLDFAST_CORS_ORIGINS: "https://app.example", HOLDFAST_URL: "http://id.example" };
  assertProblem(await check(own), "warn", /passwords to http:\/\/id\.example/, /TLS/);
});

test("gateway: a proxy list with addresses of the internet is a failure", async () => {
  const check = async (settings: Record<string, string>) =>
    await findings(gatewayCheck, await makeContext(await makeSettings(settings)));
  assertHealthy(await check({ HOLDFAST_TRUSTED_PROXIES: "10.0.0.0/8,192.168.0.0/16" }));
  for (const all of ["0.0.0.0/0", "::/0"]) {
    assertProblem(
      await check({ HOLDFAST_TRUSTED_PROXIES: all }),
      "fail",
      /anybody can claim a path/,
      /your proxies/,
    );
  }
});

test("law 10: the gateway and the health of a service that refuses its proxy have the words of /health", async (t) => {
  const settings = await makeSettings();
  const policyFile = `${settings.dataDir}.policy`;
  await writeFile(policyFile, '{ "rules": [{ "path": "/orders/*" }] }');
  const { publicAddress, adminAddress } = await serve(t, { ...settings, policyFile });
  const check = async (one: Check) => await findings(one, await makeContext({ ...settings, policyFile }));
  assertHealthy(await check(gatewayCheck));
  assert.equal((await fetch(`${publicAddress}/verify/nginx`)).status, 403);
  const { components } = (await (await fetch(`${adminAddress}/health`)).json()) as ServiceHealth;
  const { detail = "", effect, advice } = components.gateway ?? {};
  assert.match(detail, /127\.0\.0\.1 asks \/verify/);
  assert.match(advice ?? "", /^Add the proxy to HOLDFAST_TRUSTED_PROXIES/);
  const words = `proxy_not_trusted, ${detail}. ${effect ?? ""}`;
  assert.deepEqual(await check(gatewayCheck), [{ status: "fail", detail: words, advice }]);
  assert.deepEqual(await check(healthCheck), [{ status: "fail", detail: `gateway: ${words}`, advice }]);
});

test("limits: few descriptors and little memory are warnings", async () => {
  const good = { descriptors: 1024, connections: 900, memory: 512 * MEGABYTE, guardBytes: 64 * MEGABYTE };
  assertHealthy(judgeLimits(good));
  assertProblem(judgeLimits({ ...good, descriptors: 256 }), "warn", /open 256 files/, /LimitNOFILE/);
  const small = judgeLimits({ ...good, memory: 128 * MEGABYTE });
  assertProblem(small, "warn", /128 MB of memory, and a process can need 224 MB/, /memory\.maxBytes/);
  const own = await findings(limitsCheck, await makeContext(await makeSettings()));
  assert.ok(own.every(({ status }) => status !== "fail"));
});

test("snapshots: saved keys that are old beside a running service, damaged or open to others are found", async (t) => {
  const provider = await startProvider(t);
  const settings = await makeSettings(providerSettings(provider));
  const context = await makeContext(settings);
  const { snapshots } = context.files;
  await mkdir(snapshots, { recursive: true, mode: 0o700 });
  const file = join(snapshots, `keys-${"0".repeat(64)}.json`);
  const save = async (fetchedAt: number) =>
    await writeFile(file, JSON.stringify({ url: provider.url("jwks"), fetchedAt, jwks: { keys: [] } }));
  const running = {
    ...context,
    processes: [{ pid: 1, address: "http://127.0.0.1:1", found: "process" as const }],
  };
  await save(Date.now());
  assertHealthy(await findings(snapshotsCheck, running));
  await save(Date.now() - 13 * 3_600_000);
  assertHealthy(await findings(snapshotsCheck, context));
  assertProblem(await findings(snapshotsCheck, running), "warn", /last fetched 13 h ago/, /refused with 503/);
  await writeFile(file, "{");
  assertProblem(await findings(snapshotsCheck, running), "warn", /is damaged/, /remove it/);
  await chmod(snapshots, 0o777);
  assertProblem(await findings(snapshotsCheck, running), "fail", /keys of their own/, /chmod 700/);
});
