import assert from "node:assert/strict";
import { test } from "node:test";
import { startService } from "../../src/server/serve.ts";
import { readSettings } from "../../src/server/settings.ts";
import { temporarySettings } from "./temporary-settings.ts";

const endpoints: [role: string, method: string, path: string, status: number][] = [
  ["issuer", "POST", "/auth/login", 415],
  ["issuer", "POST", "/oauth/token", 415],
  ["issuer", "GET", "/.well-known/jwks.json", 200],
  ["gateway", "GET", "/verify", 401],
  ["gateway", "POST", "/verify/envoy/orders", 401],
  ["both", "GET", "/health/live", 200],
  ["both", "GET", "/health/ready", 200],
];

for (const role of ["issuer", "gateway"]) {
  test(`a service with the role ${role} answers 404 for the other role, and prints its role`, async (t) => {
    const settings = await temporarySettings();
    const { roles } = readSettings({ HOLDFAST_ROLES: role });
    const { banner, publicAddress, stop } = await startService({ ...settings, roles });
    t.after(stop);
    assert.match(banner, new RegExp(`role {4}${role}$`, "m"));
    assert.equal(banner.includes("first user"), role === "issuer");
    for (const [of, method, path, status] of endpoints) {
      const response = await fetch(`${publicAddress}${path}`, { method });
      assert.equal(response.status, of === role || of === "both" ? status : 404, `${method} ${path}`);
    }
  });
}

const wrong: [settings: Record<string, string>, message: RegExp][] = [
  [{ HOLDFAST_ROLES: "verifier" }, /^HOLDFAST_ROLES must be issuer, gateway/],
  [{ HOLDFAST_ROLES: "issuer," }, /^HOLDFAST_ROLES must be/],
  [{ HOLDFAST_ROLES: "" }, /^HOLDFAST_ROLES must be/],
  [
    { HOLDFAST_ROLES: "issuer", HOLDFAST_POLICY: "p.json", HOLDFAST_TRUSTED_PROXIES: "127.0.0.1" },
    /^HOLDFAST_POLICY needs HOLDFAST_ROLES to name gateway$/,
  ],
  [
    { HOLDFAST_ROLES: "gateway", HOLDFAST_BOOTSTRAP_USER: "alice:correct horse" },
    /^HOLDFAST_BOOTSTRAP_USER needs HOLDFAST_ROLES to name issuer$/,
  ],
];
for (const [settings, message] of wrong) {
  test(`${Object.keys(settings).join(" with ")} is rejected by name: ${message.source}`, () => {
    assert.throws(() => readSettings(settings), { code: "invalid_option", message });
  });
}
