import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { Explanation } from "../../../../src/dashboard/wire-api.ts";
import { createLogger } from "../../../../src/server/logs.ts";
import { startService } from "../../../../src/server/serve.ts";
import { createProvider } from "../../../../src/testing/index.ts";
import { login, post } from "../../../support/auth-calls.ts";
import { waitUntil } from "../../../support/deadline.ts";
import { temporarySettings } from "../../temporary-settings.ts";

const AUDIENCE = "https://api.example";

async function start(t: TestContext) {
  const provider = await createProvider({ audience: AUDIENCE });
  await provider.listen();
  t.after(async () => await provider.close());
  const settings = await temporarySettings({
    HOLDFAST_AUDIENCE: AUDIENCE,
    HOLDFAST_PROVIDER_ISSUER: provider.issuer,
    HOLDFAST_PROVIDER_JWKS_URL: provider.url("jwks"),
  });
  const running = await startService(settings, createLogger("silent"));
  t.after(running.stop);
  // The start of the service does not wait for the provider.
  await waitUntil(async () => {
    const health = await fetch(`${running.adminAddress}/cache/health`);
    const { components } = (await health.json()) as {
      components: { issuers: { keys: { usable: boolean } }[] };
    };
    return components.issuers.every(({ keys }) => keys.usable);
  }, "the keys of the provider");
  const explain = async (token: string): Promise<Explanation> => {
    const response = await post(running.adminAddress, "/api/explain", { token });
    assert.equal(response.status, 200);
    return (await response.json()) as Explanation;
  };
  return { ...running, provider, explain };
}

test("a good token is explained with its claims, its times in words and its scopes", async (t) => {
  const { publicAddress, explain } = await start(t);
  const { access_token: token } = await login(publicAddress);
  const told = await explain(`Bearer ${token}`);
  assert.equal(told.status, "valid");
  assert.match(told.text, /^The guard accepts it for \d+ min more: .* It has the scopes holdfast:admin\.$/);
  assert.ok(told.checks.every(({ outcome }) => outcome === "pass"));
  assert.match(told.times.find(({ claim }) => claim === "exp")?.words ?? "", /^in (?:9|10) min$/);
  assert.equal(typeof told.claims?.["sub"], "string");
});

test("a refused token is explained by what the guard expected", async (t) => {
  const { provider, publicAddress, explain } = await start(t);
  const foreign = await explain(provider.token({ aud: "https://other.example" }));
  assert.deepEqual([foreign.status, foreign.reason], ["invalid", "wrong_audience"]);
  assert.match(foreign.text, /aud is "https:\/\/other\.example", and must be "https:\/\/api\.example"/);
  const old = await explain(provider.token({ exp: Math.floor(Date.now() / 1_000) - 300 }));
  assert.equal(old.reason, "expired");
  assert.match(old.times.find(({ claim }) => claim === "exp")?.words ?? "", /^5 min ago$/);
  const { access_token: token } = await login(publicAddress);
  const changed = `${token.slice(0, -10)}${token.at(-10) === "A" ? "B" : "A"}${token.slice(-9)}`;
  assert.equal((await explain(changed)).reason, "bad_signature");
  const strange = await explain(provider.token({ iss: "https://elsewhere.example" }));
  assert.deepEqual([strange.reason, strange.checks[0]?.outcome], ["wrong_issuer", "fail"]);
});

test("law 6: no token makes an explanation fetch a key", async (t) => {
  const { provider, explain } = await start(t);
  await provider.rotate();
  const before = provider.counts("jwks").requests;
  const told = await explain(provider.token());
  assert.deepEqual([told.status, told.kind], ["unknown", "jwt"]);
  assert.match(told.text, /^The guard has no key \S+\. It would fetch the key set again/);
  assert.equal(provider.counts("jwks").requests, before);
});

test("texts that are no tokens are explained, too", async (t) => {
  const { adminAddress, explain } = await start(t);
  assert.equal((await explain("a.b.c")).kind, "malformed");
  assert.equal((await explain("a.b.c.d.e")).kind, "malformed");
  assert.equal((await explain("x".repeat(17_000))).kind, "malformed");
  assert.equal((await explain("gho_16C7e42F292c6912E7710c838347Ae178B4a")).kind, "opaque");
  assert.equal((await post(adminAddress, "/api/explain", { token: 7 })).status, 400);
  assert.equal((await post(adminAddress, "/api/explain", { token: "x".repeat(30_000) })).status, 413);
});
