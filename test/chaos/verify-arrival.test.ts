import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { login, measureUntil, refresh, refreshOrFail, verify } from "../support/auth-calls.ts";
import { startService } from "../support/service-process.ts";

/** Longer than the few requests after the sign of arrival take on a busy machine. */
const CONFLICT = "5s";

test("fault 45, law 8: an access token at /verify of a running service is a sign that its refresh token arrived", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-verify-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const service = await startService(join(folder, "data"), { HOLDFAST_CONFLICT: CONFLICT });
  t.after(async () => await service.stop());
  const first = await login(service.url);
  const second = await refreshOrFail(service.url, first.refresh_token);

  // The client sends no acknowledgement. Until its successor is used, the spent token gets it again.
  assert.equal(await verify(service.url, first.access_token), 200);
  const repeated = await refreshOrFail(service.url, first.refresh_token);
  assert.equal(repeated.refresh_token, second.refresh_token);

  assert.equal(await verify(service.url, second.access_token), 200);
  // The sign is recorded after the answer to `/verify`.
  const statusOfSpent = async () => {
    const response = await refresh(service.url, first.refresh_token);
    const body = (await response.json()) as { error?: string };
    return `${response.status} ${body.error ?? ""}`;
  };
  let status = "";
  await measureUntil(async () => (status = await statusOfSpent()) !== "200 ", 5000);
  assert.equal(status, "409 refresh_conflict");
  assert.equal(await verify(service.url, second.access_token), 200);

  // After `conflictMs`, the replay is reuse. It ends the session, with every token of it.
  await measureUntil(async () => (status = await statusOfSpent()) !== "409 refresh_conflict", 20_000);
  assert.equal(status, "400 invalid_grant");
  assert.equal((await refresh(service.url, second.refresh_token)).status, 400);
  await measureUntil(async () => (await verify(service.url, second.access_token)) === 401, 5000);
  assert.equal(await verify(service.url, second.access_token), 401);
  assert.match(service.output(), /refresh_reuse/);
});
