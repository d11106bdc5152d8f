import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { test, type TestContext } from "node:test";
import { OAuth2Issuer, OAuth2Service } from "oauth2-mock-server";
import OidcProvider from "oidc-provider";
import type { GuardEvent } from "../../../src/core/events.ts";
import { discovered } from "../../../src/guard/keys/discovery.ts";
import { createGuard } from "../../../src/index.ts";
import type { Algorithm } from "../../../src/jwt/algorithms.ts";
import { generateSigningKey } from "../../../src/jwt/sign.ts";
import { FakeClock } from "../../../src/testing/index.ts";

const audience = "https://api.example";

/** A provider of another project. The first published key signs. */
interface RealProvider {
  readonly issuer: string;
  readonly token: () => Promise<string>;
  readonly publish: (...keys: readonly Record<string, unknown>[]) => void | Promise<void>;
}

/** Resolves when this guard has fetched its next key set. */
async function refreshed(guard: string): Promise<void> {
  await new Promise<void>((resolve) => {
    const listen = (message: unknown) => {
      const { guard: name, event } = message as GuardEvent;
      if (name !== guard || event !== "keys_refreshed") return;
      unsubscribe("holdfast:guard", listen);
      resolve();
    };
    subscribe("holdfast:guard", listen);
  });
}

async function privateKey(algorithm: Algorithm): Promise<Record<string, unknown>> {
  const { kid, key } = await generateSigningKey(algorithm);
  return { ...key.export({ format: "jwk" }), kid, alg: algorithm, use: "sig" };
}

/** Starts a server on this machine whose request listener can be replaced. */
async function serve(
  t: TestContext,
): Promise<{ url: string; answerBy: (listener: RequestListener) => void }> {
  let answer: RequestListener = (_req, res) => void res.writeHead(503).end();
  const server = createServer((req, res) => answer(req, res));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, answerBy: (listener) => (answer = listener) };
}

/** Starts `oidc-provider` with a client that gets JWT access tokens (RFC 9068) for itself. */
async function oidcProvider(t: TestContext, algorithm: Algorithm): Promise<RealProvider> {
  const { url: issuer, answerBy } = await serve(t);
  const resource = {
    scope: "orders:read",
    audience,
    accessTokenFormat: "jwt",
    jwt: { sign: { alg: algorithm } },
  };
  const configuration = {
    clients: [
      {
        client_id: "service",
        client_secret: "secret-of-the-service",
        grant_types: ["client_credentials"],
        redirect_uris: [],
        response_types: [],
        id_token_signed_response_alg: algorithm,
        scope: "orders:read",
      },
    ],
    cookies: { keys: ["key-of-the-cookies"] },
    scopes: ["orders:read"],
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: { enabled: true, getResourceServerInfo: () => resource },
    },
  };
  return {
    issuer,
    publish(...keys) {
      const handle = new OidcProvider(issuer, { ...configuration, jwks: { keys } }).callback();
      answerBy((req, res) => void handle(req, res));
    },
    async token() {
      const response = await fetch(`${issuer}/token`, {
        method: "POST",
        headers: { authorization: `Basic ${btoa("service:secret-of-the-service")}` },
        body: new URLSearchParams({
          grant_type: "client_credentials",
          scope: "orders:read",
          resource: audience,
        }),
      });
      const answer = (await response.json()) as { access_token?: string; error_description?: string };
      assert.ok(answer.access_token !== undefined, answer.error_description);
      return answer.access_token;
    },
  };
}

async function mockServer(t: TestContext): Promise<RealProvider> {
  const { url, answerBy } = await serve(t);
  let signing: { issuer: OAuth2Issuer; kid: string } | undefined;
  return {
    issuer: url,
    async publish(...keys) {
      const issuer = new OAuth2Issuer();
      issuer.url = url;
      for (const key of keys) await issuer.keys.add(key);
      answerBy(new OAuth2Service(issuer).requestHandler);
      signing = { issuer, kid: String(keys[0]?.["kid"]) };
    },
    async token() {
      assert.ok(signing !== undefined);
      const claims = { aud: audience, sub: "service", scope: "orders:read", jti: randomUUID() };
      const { issuer, kid } = signing;
      return await issuer.buildToken({
        kid,
        scopesOrTransform: (_header, payload) => Object.assign(payload, claims),
      });
    },
  };
}

const providers: [name: string, algorithm: Algorithm, start: (t: TestContext) => Promise<RealProvider>][] = [
  ["oidc-provider", "ES256", async (t) => await oidcProvider(t, "ES256")],
  ["oidc-provider", "PS256", async (t) => await oidcProvider(t, "PS256")],
  ["oauth2-mock-server", "RS256", mockServer],
];

for (const [name, algorithm, start] of providers) {
  test(`law 1: tokens of ${name} (${algorithm}) are verified by discovered keys, before and after a rotation`, async (t) => {
    const [old, next] = [await privateKey(algorithm), await privateKey(algorithm)];
    const provider = await start(t);
    await provider.publish(old);
    const clock = new FakeClock(Date.now());
    const { issuer } = provider;
    const guard = createGuard({
      issuer,
      audience,
      keys: discovered({ freshMs: 120_000 }),
      clock,
      name: `${name} ${algorithm}`,
    });
    t.after(async () => await guard.close());
    const before = await provider.token();
    const granted = await guard.authorize(before, { scopes: ["orders:read"] });
    assert.ok(granted.status === "valid" && granted.subject === "service");

    // The provider adds a new key and signs with it.
    await provider.publish(next, old);
    const after = await provider.token();
    const pending = await guard.validate(after);
    assert.ok(pending.status === "unavailable" && pending.cause === "key_pending");
    await clock.advance(pending.retryAfterMs);
    assert.equal((await guard.validate(after)).status, "valid");
    assert.equal((await guard.validate(before)).status, "valid");

    // The provider removes the old key while some of its tokens have not expired.
    await provider.publish(old);
    const late = await provider.token();
    await provider.publish(next);
    const fetched = refreshed(guard.name);
    // `suspend` fires no timers: `advance` would time out requests, which take real time.
    clock.suspend(140_000);
    assert.equal((await guard.validate(await provider.token())).status, "valid");
    await fetched;
    const last = await guard.validate(late);
    assert.ok(last.status === "unavailable" && last.cause === "key_pending");
    await clock.advance(last.retryAfterMs);
    assert.deepEqual(await guard.validate(late), { status: "invalid", reason: "unknown_key" });
    assert.equal((await guard.validate(await provider.token())).status, "valid");
  });
}
