import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import type { Check } from "../../src/doctor/check.ts";
import { loadContext, type DoctorContext, type DoctorOptions } from "../../src/doctor/context.ts";
import type { Finding, FindingStatus } from "../../src/doctor/finding.ts";
import { startService, type RunningService } from "../../src/server/serve.ts";
import { readSettings, type Settings } from "../../src/server/settings.ts";
import { createLogger } from "../../src/server/logs.ts";
import { createProvider, type Provider } from "../../src/testing/index.ts";
import { temporaryDataDir } from "../server/temporary-settings.ts";

export const AUDIENCE = "https://api.example";

export const noOptions: DoctorOptions = {
  write: [],
  rehearse: undefined,
  through: undefined,
  rules: undefined,
};

/** Settings of an installation in a new folder, on free ports. */
export async function makeSettings(more: Readonly<Record<string, string>> = {}): Promise<Settings> {
  return readSettings({
    HOLDFAST_PORT: "0",
    HOLDFAST_ADMIN_PORT: "0",
    HOLDFAST_DATA_DIR: await temporaryDataDir(),
    HOLDFAST_AUDIENCE: AUDIENCE,
    ...more,
  });
}

export async function makeContext(
  settings: Settings,
  options: Partial<DoctorOptions> = {},
): Promise<DoctorContext> {
  return await loadContext(settings, [], { ...noOptions, ...options });
}

/** The findings of one check of an installation. */
export async function findings(check: Check, context: DoctorContext): Promise<readonly Finding[]> {
  return await check.run(context, AbortSignal.timeout(20_000));
}

/** Asserts that the first finding with another status than `ok` and `skip` is this one, and that it gives advice. */
export function assertProblem(
  list: readonly Finding[],
  status: FindingStatus,
  detail: RegExp,
  advice: RegExp,
): void {
  const found = list.find((one) => one.status === "warn" || one.status === "fail");
  assert.equal(found?.status, status, JSON.stringify(list));
  assert.match(found?.detail ?? "", detail);
  assert.match(found?.advice ?? "", advice);
}

/** Asserts that no finding is a problem and one is `ok`. */
export function assertHealthy(list: readonly Finding[]): void {
  const problems = list.filter(({ status }) => status === "warn" || status === "fail");
  assert.deepEqual(problems, []);
  assert.ok(
    list.some(({ status }) => status === "ok"),
    JSON.stringify(list),
  );
}

/** A service in this process, which the test stops. */
export async function serve(t: TestContext, settings: Settings): Promise<RunningService> {
  const running = await startService(settings, createLogger("silent"));
  t.after(async () => await running.stop());
  return running;
}

export async function startProvider(t: TestContext): Promise<Provider> {
  const provider = await createProvider({ audience: AUDIENCE });
  await provider.listen();
  t.after(async () => await provider.close());
  return provider;
}

/** The settings of a service that trusts the provider and asks its authority. */
export function providerSettings(provider: Provider): Record<string, string> {
  return {
    HOLDFAST_PROVIDER_ISSUER: provider.issuer,
    HOLDFAST_AUTHORITY_URL: provider.url("introspection"),
    HOLDFAST_AUTHORITY_CLIENT: `${provider.clientId}:${provider.clientSecret}`,
  };
}

/** A server of this machine that has the key set of a Keycloak. `stop` makes it unreachable. */
export async function startKeycloak(
  t: TestContext,
  jwks: object,
): Promise<{ readonly url: string; readonly issuer: string; readonly stop: () => void }> {
  const server = createServer((_, res) => res.end(JSON.stringify(jwks))).listen(0, "127.0.0.1");
  await once(server, "listening");
  const stop = () => {
    server.close();
    server.closeAllConnections();
  };
  t.after(stop);
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, issuer: `${url}/realms/shop`, stop };
}
