import assert from "node:assert/strict";
import { test } from "node:test";
import { temporaryDataDir } from "../server/temporary-settings.ts";
import { login, refresh } from "../support/auth-calls.ts";
import { startService } from "../support/service-process.ts";
import { runHoldfast } from "./cli-process.ts";

const OLD = "the first secret of this service: 32 bytes";
const NEW = "the other secret of this service: 32 bytes";

test("fault 72, law 1: a removed secret is 503 until secret forget ends its sessions, as the page says", async (t) => {
  const data = await temporaryDataDir();
  const first = await startService(data, { HOLDFAST_SECRET: OLD });
  const { refresh_token: token } = await login(first.url);
  await first.stop();

  const both = { HOLDFAST_SECRET: `${NEW},${OLD}` };
  assert.equal((await runHoldfast(["keys", "list"], { data, settings: both })).code, 0);
  const settings = { HOLDFAST_SECRET: NEW };
  const service = await startService(data, settings);
  t.after(async () => await service.stop());
  assert.match(service.output(), /secret that this process lacks: keep that secret in the list until/);
  assert.equal((await refresh(service.url, token)).status, 503);
  const health = (await (await fetch(new URL("/health", service.admin))).json()) as {
    components: { store: { reason: string; detail: string } };
  };
  assert.equal(health.components.store.reason, "store_mismatch");
  assert.match(health.components.store.detail, /holdfast secret forget/);

  const outdated = await runHoldfast(["secret", "forget"], { data, settings: { HOLDFAST_SECRET: OLD } });
  assert.equal(outdated.code, 1);
  assert.match(outdated.err, /belongs to another secret/);
  const forgot = await runHoldfast(["secret", "forget"], { data, settings });
  assert.deepEqual([forgot.code, forgot.out], [0, "forgot 1 secret\n"]);
  assert.equal((await refresh(service.url, token)).status, 400);
  assert.equal((await runHoldfast(["secret", "forget"], { data, settings })).out, "forgot 0 secrets\n");
});
