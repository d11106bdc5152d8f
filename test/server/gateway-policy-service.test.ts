import assert from "node:assert/strict";
import { stat, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { startService } from "../../src/server/serve.ts";
import { login } from "../support/auth-calls.ts";
import { temporarySettings } from "./temporary-settings.ts";

async function settingsWith(policy: string) {
  const settings = await temporarySettings();
  const policyFile = `${settings.dataDir}.policy`;
  await writeFile(policyFile, policy);
  settings.trustedProxies.addAddress("127.0.0.1");
  return { ...settings, policyFile };
}

test("the service applies its policy file, and prints its name at start", async (t) => {
  const settings = await settingsWith('{ "rules": [{ "path": "/orders/*", "scopes": ["holdfast:admin"] }] }');
  const { banner, publicAddress, stop } = await startService(settings);
  t.after(stop);
  assert.ok(banner.includes(`policy  ${settings.policyFile}, rules: 1`));
  const { access_token: token } = await login(publicAddress);
  const ask = async (path: string) => {
    const headers = { authorization: `Bearer ${token}` };
    return (await fetch(`${publicAddress}/verify/envoy${path}`, { headers })).status;
  };
  assert.equal(await ask("/orders/7"), 200);
  assert.equal(await ask("/other"), 403);
  assert.equal(
    (await fetch(`${publicAddress}/verify`, { headers: { authorization: `Bearer ${token}` } })).status,
    403,
  );
});

test("rejects an unusable policy at start, and creates no data", async () => {
  const settings = await settingsWith('{ "rules": [] }');
  await assert.rejects(startService(settings), {
    code: "invalid_option",
    message: /HOLDFAST_POLICY .*rules must/,
  });
  await assert.rejects(stat(settings.dataDir), { code: "ENOENT" });
});

test("rejects a rule for an audience that the service does not know, and starts with one that it knows", async (t) => {
  const start = async (audience: string) => {
    const rule = { path: "/orders/*", scopes: ["orders"], audience };
    const settings = await settingsWith(JSON.stringify({ rules: [rule] }));
    const running = await startService({ ...settings, audience: "https://api.example.com" });
    t.after(running.stop);
    return running.banner;
  };
  await assert.rejects(start("https://other.example.com"), {
    code: "invalid_option",
    message: /^HOLDFAST_POLICY names the audience https:\/\/other\.example\.com, which/,
  });
  assert.match(await start("https://api.example.com"), /rules: 1$/m);
});
