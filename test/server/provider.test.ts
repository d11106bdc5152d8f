import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { logEvents, openLogger } from "../../src/server/logs.ts";
import { startService, type RunningService } from "../../src/server/serve.ts";
import { createMint, createProvider, type Provider } from "../../src/testing/index.ts";
import { login, verify } from "../support/auth-calls.ts";
import { waitUntil } from "../support/deadline.ts";
import { temporarySettings } from "./temporary-settings.ts";

const audience = "https://api.example";

interface World {
  readonly provider: Provider;
  readonly start: (more?: Record<string, string>) => Promise<RunningService>;
}

async function makeWorld(t: TestContext): Promise<World> {
  const provider = await createProvider({ audience });
  await provider.listen();
  t.after(async () => await provider.close());
  const settings = await temporarySettings({
    HOLDFAST_AUDIENCE: audience,
    HOLDFAST_PROVIDER_ISSUER: provider.issuer,
    HOLDFAST_AUTHORITY_URL: provider.url("introspection"),
    HOLDFAST_AUTHORITY_CLIENT: `${provider.clientId}:${provider.clientSecret}`,
  });
  const start: World["start"] = async (more = {}) => {
    const mode = more["ALLOW_DEGRADED_AUTH"] === "true" ? "local" : undefined;
    const running = await startService({ ...settings, degraded: mode });
    t.after(running.stop);
    return running;
  };
  return { provider, start };
}

async function degradedHeader({ publicAddress }: RunningService, token: string): Promise<string | null> {
  const headers = { authorization: `Bearer ${token}` };
  const response = await fetch(`${publicAddress}/verify`, { headers });
  return response.status === 200 ? response.headers.get("x-auth-degraded") : `status ${response.status}`;
}

async function readiness({ publicAddress }: RunningService): Promise<unknown> {
  return await (await fetch(`${publicAddress}/health/ready`)).json();
}

async function advice({ adminAddress }: RunningService): Promise<string | undefined> {
  const health = (await (await fetch(`${adminAddress}/health`)).json()) as { headline: { advice?: string } };
  return health.headline.advice;
}

const whole = { store: "ok", keys: "ok", revocations: "ok", guard: "ok", clock: "ok", provider: "ok" };

test("/verify accepts the tokens of a provider after asking its authority, opaque tokens included", async (t) => {
  const { provider, start } = await makeWorld(t);
  const running = await start();
  const own = await login(running.publicAddress);
  assert.equal(await verify(running.publicAddress, own.access_token), 200);
  const token = provider.token({ jti: "t1" });
  assert.equal(await degradedHeader(running, token), "");
  assert.equal(await degradedHeader(running, provider.opaqueToken({ sub: "bob" })), "");
  const revoked = provider.token({ jti: "t2" });
  provider.revoke("t2");
  assert.equal(await verify(running.publicAddress, revoked), 401);
  assert.deepEqual(await readiness(running), { status: "ok", components: whole });
});

test("law 10: while the authority is down, the provider's tokens get 503 or a declared degraded answer, by the setting", async (t) => {
  const { provider, start } = await makeWorld(t);
  const strict = await start();
  const lax = await start({ ALLOW_DEGRADED_AUTH: "true" });
  provider.fault("introspection", { status: 500 });
  const token = provider.token();
  assert.equal(await verify(strict.publicAddress, token), 503);
  assert.equal(await degradedHeader(lax, token), "authority_unavailable");
  assert.equal(await verify(lax.publicAddress, provider.opaqueToken()), 503);
  assert.deepEqual(await readiness(lax), {
    status: "degraded",
    components: { ...whole, provider: "degraded" },
  });
  const own = await login(strict.publicAddress);
  assert.equal(await verify(strict.publicAddress, own.access_token), 200);
});

test("fault 37: a service starts while the provider is down, and answers 503 only for the provider's tokens", async (t) => {
  const { provider, start } = await makeWorld(t);
  await provider.close();
  const running = await start();
  const own = await login(running.publicAddress);
  assert.equal(await verify(running.publicAddress, own.access_token), 200);
  assert.equal(await verify(running.publicAddress, provider.token()), 503);
});

test("fault 37: after a restart in the outage, the last good keys verify tokens under a mode that allows it", async (t) => {
  const { provider, start } = await makeWorld(t);
  const before = await start({ ALLOW_DEGRADED_AUTH: "true" });
  assert.equal(await degradedHeader(before, provider.token()), "");
  await before.stop();
  await provider.close();
  const after = await start({ ALLOW_DEGRADED_AUTH: "true" });
  assert.match((await degradedHeader(after, provider.token())) ?? "", /^authority_/);
});

test("the service asks about opaque tokens of its form only, and with ask: opaque not about JWTs", async (t) => {
  const provider = await createProvider({ audience });
  await provider.listen();
  t.after(async () => await provider.close());
  const settings = await temporarySettings({
    HOLDFAST_AUDIENCE: audience,
    HOLDFAST_PROVIDER_ISSUER: provider.issuer,
    HOLDFAST_AUTHORITY_URL: provider.url("introspection"),
    HOLDFAST_AUTHORITY_CLIENT: `${provider.clientId}:${provider.clientSecret}`,
    HOLDFAST_AUTHORITY_OPAQUE: "/^opaque_/",
    HOLDFAST_AUTHORITY_ASK: "opaque",
  });
  const { publicAddress, stop } = await startService(settings);
  t.after(stop);
  assert.equal(await verify(publicAddress, provider.opaqueToken({ sub: "bob" })), 200);
  const { requests } = provider.counts("introspection");
  assert.equal(await verify(publicAddress, "another-token-of-a-stranger"), 401);
  assert.equal(await verify(publicAddress, provider.token({ jti: "t1" })), 200);
  assert.equal(provider.counts("introspection").requests, requests);
});

test("law 2: with a final slash too many in the setting, good tokens get 503, and /health shows both names in full", async (t) => {
  const provider = await createProvider({ audience });
  await provider.listen();
  t.after(async () => await provider.close());
  const wrong = `${provider.issuer}/`;
  const settings = await temporarySettings({
    HOLDFAST_AUDIENCE: audience,
    HOLDFAST_PROVIDER_ISSUER: wrong,
  });
  const running = await startService(settings);
  t.after(running.stop);
  await waitUntil(async () => (await advice(running)) !== null, "the headline about the provider");
  assert.equal(await verify(running.publicAddress, provider.token()), 503);
  assert.equal(
    await advice(running),
    `The configured issuer is "${wrong}", and the metadata of the provider names "${provider.issuer}". Correct HOLDFAST_PROVIDER_ISSUER, or the issuer in the file of HOLDFAST_GUARD.`,
  );
});

test("law 5: the log says why the service refuses tokens of another issuer, once and without the token", async (t) => {
  const lines: string[] = [];
  const settings = await temporarySettings({
    HOLDFAST_AUDIENCE: audience,
    HOLDFAST_PROVIDER_ISSUER: "https://id.example",
    HOLDFAST_PROVIDER_JWKS_URL: "https://id.example/jwks",
  });
  const log = openLogger("warn", { write: (line) => void lines.push(line) });
  const running = await startService(settings, log);
  t.after(running.stop);
  t.after(logEvents(log, () => null));
  const mint = await createMint({ issuer: "https://other.example", audience });
  const tokens = ["t1", "t2"].map((jti) => mint.token({ jti }));
  for (const token of tokens) assert.equal(await verify(running.publicAddress, token), 401);
  const refused = lines.filter((line) => line.includes("holdfast.guard.token_refused"));
  assert.equal(refused.length, 1);
  const { body } = JSON.parse(refused[0] ?? "{}") as { body?: string };
  assert.match(body ?? "", /its "iss" is "https:\/\/other\.example", .* or "https:\/\/id\.example"/);
  for (const token of tokens) assert.ok(!refused.join("").includes(token.split(".")[2] ?? ""));
});
