import { once } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";
import { healthCheck, judgeHealth } from "../../../src/doctor/checks/health.ts";
import { localFiles } from "../../../src/server/store/local-store.ts";
import { announceProcess } from "../../../src/server/running-processes.ts";
import { randomNonce } from "../../../src/server/process-proof.ts";
import {
  assertHealthy,
  assertProblem,
  findings,
  makeContext,
  makeSettings,
  providerSettings,
  serve,
  startProvider,
} from "../fixture.ts";

const token = "a-token-of-the-admin-listener-0123456789";

test("health: a process that is well is well, also when its admin listener asks for a token", async (t) => {
  const settings = await makeSettings({ HOLDFAST_ADMIN_TOKEN: token });
  await serve(t, settings);
  assertHealthy(await findings(healthCheck, await makeContext(settings)));
});

test("health: what a process says about its provider is a failure", async (t) => {
  const provider = await startProvider(t);
  const settings = await makeSettings(providerSettings(provider));
  provider.fault("jwks", { status: 503 });
  await serve(t, settings);
  const list = await findings(healthCheck, await makeContext(settings));
  assertProblem(list, "fail", /provider: keys_failed.*answered 503/, /keys and authority/);
});

test("health: another program at the announced address is a failure", async (t) => {
  const settings = await makeSettings();
  const stranger = createServer((_, res) => res.end("{}")).listen(0, "127.0.0.1");
  await once(stranger, "listening");
  t.after(() => stranger.close());
  const { port } = stranger.address() as { port: number };
  const { processes } = localFiles(settings.dataDir);
  await announceProcess(processes, { address: `http://127.0.0.1:${port}` }, randomNonce());
  const list = await findings(healthCheck, await makeContext(settings));
  assertProblem(list, "fail", /another program answers/, /HOLDFAST_ADMIN_PORT/);
});

test("health: a component that no user notices is a warning, and a flood of logins is a failure", () => {
  const component = (status: "ok" | "degraded", outcomes: object) => ({
    status,
    reason: "durability",
    detail: "appendfsync no",
    effect: null,
    advice: null,
    outcomes,
  });
  const good = { login: { status: "ok", because: [] } } as const;
  assertProblem(
    judgeHealth({ components: { store: component("degraded", {}) }, outcomes: good }),
    "warn",
    /store: durability, appendfsync no/,
    /operations\.md/,
  );
  const flood = { login: { status: "degraded", because: ["answers"] } } as const;
  assertProblem(
    judgeHealth({ components: {}, outcomes: flood }),
    "fail",
    /login: most are limited/,
    /login-limits\.md/,
  );
  const ailing = { refresh: flood.login };
  const text = "1 of the last 1 refreshes have answered 5xx: the store has lost the sessions of these users";
  const headline = { text, advice: "Restore the newest backup.", part: "answers" };
  assertProblem(
    judgeHealth({ headline, components: {}, outcomes: ailing }),
    "fail",
    /refresh: 1 of the last 1 refreshes/,
    /^Restore the newest backup/,
  );
});
