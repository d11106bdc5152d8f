import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { systemClock } from "../../src/core/clock.ts";
import type { Platform } from "../../src/server/platform.ts";
import { composeService, type Service } from "../../src/server/service.ts";
import { localFiles } from "../../src/server/store/local-store.ts";
import { openStore } from "../../src/server/store/open-store.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { createProvider, FakeClock, seededEntropy, seededRandom } from "../../src/testing/index.ts";
import { noRedis, RedisServer } from "../support/redis-servers.ts";
import { temporarySettings } from "./temporary-settings.ts";

const identity = { url: "https://id.example", audience: "https://api.example" };
const secret = "a secret of the tests that is long enough for the issuer";
const credentials = { username: "alice", password: "correct horse battery" };
const MINUTE_MS = 60_000;

/** A whole service in memory. A key signs for 15 minutes, and an access token lives ten. */
async function compose(
  t: TestContext,
  platform: Partial<Platform> & { readonly clock: FakeClock },
  more: Record<string, string> = {},
): Promise<Service> {
  const settings = await temporarySettings({ HOLDFAST_KEY_ROTATION: "15m", ...more });
  const { clock, entropy } = platform;
  const store = memoryStore({ clock, ...(entropy && { entropy }) });
  const opened = { store, secret, files: localFiles(settings.dataDir) };
  const service = await composeService(opened, settings, identity, platform);
  t.after(service.close);
  await service.issuer.users.add(credentials);
  return service;
}

test("a composed service lives on the clock that it was given", async (t) => {
  const clock = new FakeClock();
  const { issuer, guard } = await compose(t, { clock });
  const login = await issuer.login(credentials);
  assert.ok(login.status === "ok");
  assert.equal((await guard.validate(login.tokens.access_token)).status, "valid");
  const kidsBefore = issuer.status().keys.map(({ kid }) => kid);

  await clock.advance(30 * MINUTE_MS);

  const late = await guard.validate(login.tokens.access_token);
  assert.equal(late.status === "invalid" && late.reason, "expired");
  assert.notDeepEqual(
    issuer.status().keys.map(({ kid }) => kid),
    kidsBefore,
    "the keys have rotated on schedule",
  );
  const refreshed = await issuer.refresh(login.tokens.refresh_token);
  assert.ok(refreshed.status === "ok");
  assert.equal((await guard.validate(refreshed.tokens.access_token)).status, "valid");
});

/** Runs a service for 36 minutes. Returns the text of every answer and verdict, and the revocation log. */
async function recordRun(t: TestContext, seed: number): Promise<string[]> {
  const clock = new FakeClock();
  const platform = { clock, random: seededRandom(seed), entropy: seededEntropy(seed) };
  const service = await compose(t, platform, { HOLDFAST_ALGORITHM: "EdDSA" });
  const { issuer, guard } = service;
  const answers: string[] = [];
  const ask = async (path: string, body: object): Promise<Record<string, string>> => {
    const headers = { "content-type": "application/json" };
    const request = new Request(identity.url + path, { method: "POST", headers, body: JSON.stringify(body) });
    const answer = await (await issuer.fetch(request)).text();
    answers.push(answer);
    return JSON.parse(answer) as Record<string, string>;
  };
  let tokens = await ask("/auth/login", credentials);
  for (let refreshes = 0; refreshes < 3; refreshes++) {
    const old = tokens["access_token"] ?? "";
    answers.push(JSON.stringify(await guard.validate(old)));
    await clock.advance(12 * MINUTE_MS);
    answers.push(JSON.stringify(await guard.validate(old)));
    tokens = await ask("/auth/refresh", { refresh_token: tokens["refresh_token"] });
    answers.push(await (await issuer.fetch(new Request(`${identity.url}/.well-known/jwks.json`))).text());
  }
  await issuer.endSession(tokens["session_id"] ?? "", "revoked");
  await clock.advance(1_000);
  answers.push(JSON.stringify(await guard.validate(tokens["access_token"] ?? "")));
  answers.push(JSON.stringify(await service.store.revocations.snapshot()));
  await service.close();
  return answers;
}

test("a service on the same clock, chance and entropy gives the same answers, byte for byte", async (t) => {
  const first = await recordRun(t, 7);
  assert.deepEqual(await recordRun(t, 7), first);
  assert.match(first.join(), /expired/);
  assert.match(first.join(), /revoked/);
  const kids = new Set(first.join().match(/"kid":"[^"]+"/g));
  assert.ok(kids.size > 2, "the keys have rotated");
});

test("a composed service reaches its provider through the fetch that it was given", async (t) => {
  const clock = new FakeClock();
  const provider = await createProvider({ audience: identity.audience, clock });
  const { guard } = await compose(
    t,
    { clock, fetch: provider.fetch },
    {
      HOLDFAST_PROVIDER_ISSUER: provider.issuer,
      HOLDFAST_AUTHORITY_URL: provider.url("introspection"),
      HOLDFAST_AUTHORITY_CLIENT: `${provider.clientId}:${provider.clientSecret}`,
    },
  );
  assert.equal((await guard.validate(provider.token())).status, "valid");
  assert.equal((await guard.validate(provider.opaqueToken())).status, "valid");
  assert.ok(provider.counts("introspection").requests >= 2);
});

test(
  "the store of a service on Redis has the time of the server, because several machines share it",
  { skip: noRedis },
  async (t) => {
    const redis = await RedisServer.start();
    t.after(async () => await redis.stop());
    const settings = await temporarySettings({
      HOLDFAST_STORE: "redis",
      REDIS_URL: redis.url,
      HOLDFAST_SECRET: secret,
    });
    const { store } = await openStore(settings, { create: true });
    t.after(async () => await store.close());
    t.mock.method(systemClock, "now", () => Date.UTC(2001, 0, 1));
    assert.ok((await store.now()) > Date.UTC(2026, 0, 1));
  },
);
