import assert from "node:assert/strict";
import { chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { gatewayCheck } from "../../../src/doctor/checks/gateway.ts";
import { listenersCheck } from "../../../src/doctor/checks/listeners.ts";
import { judgeRuntime, runtimeCheck } from "../../../src/doctor/checks/runtime.ts";
import { secretCheck } from "../../../src/doctor/checks/secret.ts";
import { settingsCheck } from "../../../src/doctor/checks/settings.ts";
import { loadContext } from "../../../src/doctor/context.ts";
import { freePort } from "../../support/free-port.ts";
import {
  assertHealthy,
  assertProblem,
  findings,
  makeContext,
  makeSettings,
  noOptions,
  serve,
} from "../fixture.ts";

test("settings: a policy that cannot be read is a failure with the name of the file", async () => {
  const settings = await makeSettings({
    HOLDFAST_POLICY: "/nowhere/policy.json",
    HOLDFAST_TRUSTED_PROXIES: "10.0.0.1",
  });
  const list = await findings(settingsCheck, await makeContext(settings));
  assertProblem(list, "fail", /HOLDFAST_POLICY \/nowhere\/policy\.json/, /correct the file/);
});

test("settings: a setting from a file is listed with the file", async () => {
  const given = [{ name: "HOLDFAST_SECRET", source: "/run/secrets/holdfast" }];
  const list = await findings(settingsCheck, await loadContext(await makeSettings(), given, noOptions));
  assertHealthy(list);
  assert.match(list[0]?.detail ?? "", /HOLDFAST_SECRET \(from \/run\/secrets\/holdfast\)/);
});

test("settings: a running service with other settings is a warning with their names, and its gateway is not judged", async (t) => {
  const token = "hunter2-hunter2-hunter2-hunter2-hunter2";
  const settings = await makeSettings({
    HOLDFAST_TRUSTED_PROXIES: "10.0.0.1",
    HOLDFAST_ACCESS_TOKEN_TTL: "4m",
    HOLDFAST_ADMIN_TOKEN: token,
  });
  await serve(t, settings);
  assertHealthy(await findings(settingsCheck, await makeContext(settings)));
  assertHealthy(await findings(gatewayCheck, await makeContext(settings)));
  const others = await makeSettings({
    HOLDFAST_DATA_DIR: `${settings.dataDir}/.`,
    HOLDFAST_ADMIN_TOKEN: token,
  });
  const context = await makeContext(others);
  const list = await findings(settingsCheck, context);
  const names = /has other settings: HOLDFAST_[A-Z_]+, HOLDFAST_[A-Z_]+$/;
  assertProblem(list, "warn", names, /^run this command with the environment of the service/);
  assert.match(list[0]?.detail ?? "", /HOLDFAST_TRUSTED_PROXIES/);
  assert.match(list[0]?.detail ?? "", /HOLDFAST_ACCESS_TOKEN_TTL/);
  const [gateway] = await findings(gatewayCheck, context);
  assert.equal(gateway?.status, "skip");
  assert.match(gateway?.detail ?? "", /another HOLDFAST_TRUSTED_PROXIES/);
});

test("listeners: a port of another program is a failure that names the setting, and that of the service is well", async (t) => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  t.after(() => other.close());
  const { port } = other.address() as { port: number };
  const taken = await makeContext(await makeSettings({ HOLDFAST_PORT: String(port) }));
  const list = await findings(listenersCheck, taken);
  assertProblem(
    list,
    "fail",
    new RegExp(`another program listens on .+:${port}`),
    /choose another HOLDFAST_PORT/,
  );

  const ports = { HOLDFAST_PORT: String(await freePort()), HOLDFAST_ADMIN_PORT: String(await freePort()) };
  const settings = await makeSettings(ports);
  assertHealthy(await findings(listenersCheck, await makeContext(settings)));
  await serve(t, settings);
  const running = await findings(listenersCheck, await makeContext(settings));
  assertHealthy(running);
  assert.match(running[0]?.detail ?? "", /in use by the service/);

  // Another program, beside a service that answers at other ports.
  const web = createHttpServer((_, res) => res.end("<html>")).listen(0, "127.0.0.1");
  await once(web, "listening");
  t.after(() => web.close());
  const moved = { ...settings, port: (web.address() as { port: number }).port };
  const stranger = await findings(listenersCheck, await makeContext(moved));
  assertProblem(stranger, "fail", /another program listens/, /HOLDFAST_PORT/);
});

test("listeners: an address that this machine lacks is a failure, and an exposed admin listener is a warning", async () => {
  const absent = await makeContext(await makeSettings({ HOLDFAST_HOST: "192.0.2.1", HOLDFAST_PORT: "4180" }));
  assertProblem(await findings(listenersCheck, absent), "fail", /no address 192\.0\.2\.1/, /HOLDFAST_HOST/);
  const exposed = await makeContext(await makeSettings({ HOLDFAST_ADMIN_HOST: "0.0.0.0" }));
  assertProblem(await findings(listenersCheck, exposed), "warn", /other machines can reach/, /127\.0\.0\.1/);
  const meant = { HOLDFAST_ADMIN_HOST: "0.0.0.0", HOLDFAST_ADMIN_TOKEN: "a".repeat(43) };
  assertHealthy(await findings(listenersCheck, await makeContext(await makeSettings(meant))));
});

test("runtime: an odd version of Node and another runtime are warnings", async (t) => {
  assertProblem([judgeRuntime({ node: "25.1.0" })], "warn", /Node 25\.1\.0/, /even version/);
  assertProblem([judgeRuntime({ node: "24.0.0", bun: "1.3.0" })], "warn", /Bun 1\.3\.0/, /Node/);
  const settings = await makeSettings();
  await serve(t, settings);
  assertHealthy([judgeRuntime({ node: "24.0.0" })]);
  const list = await findings(runtimeCheck, await makeContext(settings));
  assert.ok(list.every(({ detail }) => !detail.includes("runs version")));
});

test("secret: a secret of another store is a failure, and its own one is well", async (t) => {
  const settings = await makeSettings();
  await serve(t, settings);
  assertHealthy(await findings(secretCheck, await makeContext(settings)));
  const other = { ...settings, secret: "another-secret-of-enough-different-bytes" };
  const list = await findings(secretCheck, await makeContext(other));
  assertProblem(list, "fail", /belongs to another secret/, /before the old one/);
});

test("secret: a lost secret is a failure, and a readable or misplaced one is a warning", async (t) => {
  const settings = await makeSettings();
  const service = await serve(t, settings);
  await service.stop();
  const context = await makeContext(settings);
  await chmod(context.files.secret, 0o644);
  assertProblem(await findings(secretCheck, context), "warn", /every user .+ can read/, /chmod 600/);
  const secret = (await readFile(context.files.secret, "utf8")).trim();
  await rm(context.files.secret);
  assertProblem(await findings(secretCheck, context), "fail", /not on this machine/, /put back/);

  const misplaced = join(settings.dataDir, "secret");
  await writeFile(misplaced, "x", { mode: 0o600 });
  const given = [{ name: "HOLDFAST_SECRET", source: misplaced }];
  const beside = await loadContext({ ...settings, secret }, given, noOptions);
  assertProblem(await findings(secretCheck, beside), "warn", /in the data directory/, /move it out/);
});

test("secret: a file with too short a secret is a failure", async () => {
  const settings = await makeSettings();
  const context = await makeContext(settings);
  await mkdir(`${settings.dataDir}.local`, { mode: 0o700 });
  await writeFile(context.files.secret, "short-one", { mode: 0o600 });
  assertProblem(await findings(secretCheck, context), "fail", /32/, /backup of the secret/);
});
