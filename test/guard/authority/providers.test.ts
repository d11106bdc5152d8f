import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import OidcProvider from "oidc-provider";
import { systemClock } from "../../../src/core/clock.ts";
import type { Authority, AuthoritySource } from "../../../src/guard/authority/authority.ts";
import { introspection } from "../../../src/guard/authority/introspection.ts";
import { tokenValidation } from "../../../src/guard/authority/token-validation.ts";
import { createFixture, logIn, ISSUER_URL } from "../../issuer/fixture.ts";

/*
 * Tests with real authorities: node-oidc-provider over the network, and Holdfast's issuer in the same process.
 */

function open(t: TestContext, source: AuthoritySource, clock = systemClock): Authority {
  const authority = source.open({ guard: t.name, issuer: ISSUER_URL, clock, random: Math.random });
  t.after(() => authority.close());
  return authority;
}

/** Starts a provider with one client, whose secret must be encoded correctly. */
async function makeOidcProvider(t: TestContext, method: "client_secret_basic" | "client_secret_post") {
  const client = { clientId: "guard:1", clientSecret: "a secret: 100 % & more +/~*" };
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const provider = new OidcProvider(issuer, {
    clients: [
      {
        client_id: client.clientId,
        client_secret: client.clientSecret,
        token_endpoint_auth_method: method,
        grant_types: ["client_credentials"],
        redirect_uris: [],
        response_types: [],
      },
    ],
    features: {
      introspection: { enabled: true },
      clientCredentials: { enabled: true },
      revocation: { enabled: true },
      devInteractions: { enabled: false },
    },
    scopes: ["orders:read"],
    ttl: { ClientCredentials: 600 },
  });
  const handle = provider.callback();
  server.on("request", (request, response) => void handle(request, response));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const post = async (path: string, parameters: Record<string, string>) => {
    const form = (text: string) => new URLSearchParams({ v: text }).toString().slice(2);
    const { clientId, clientSecret } = client;
    const basic = Buffer.from(`${form(clientId)}:${form(clientSecret)}`).toString("base64");
    const inBody = method === "client_secret_post";
    return await fetch(issuer + path, {
      method: "POST",
      headers: inBody ? {} : { authorization: `Basic ${basic}` },
      body: new URLSearchParams({
        ...parameters,
        ...(inBody && { client_id: clientId, client_secret: clientSecret }),
      }),
    });
  };
  const token = async () => {
    const response = await post("/token", { grant_type: "client_credentials", scope: "orders:read" });
    return ((await response.json()) as { access_token: string }).access_token;
  };
  const revoke = async (value: string) => void (await post("/token/revocation", { token: value }));
  return { issuer, url: `${issuer}/token/introspection`, client, token, revoke };
}

for (const auth of ["basic", "post"] as const) {
  test(`node-oidc-provider answers about its opaque tokens with auth ${auth}, and accepts the probe`, async (t) => {
    const { issuer, url, client, token, revoke } = await makeOidcProvider(t, `client_secret_${auth}`);
    const source = introspection({ url, auth, ...client, opaque: true });
    const authority = open(t, source);
    authority.start();
    await authority.ready(AbortSignal.timeout(5_000), { attempt: true });
    assert.equal(authority.status().lastError, null);
    const value = await token();
    assert.match(value, source.opaque ?? /never/);
    const answer = await authority.ask(value);
    assert.ok(answer.status === "yes");
    const { iss, client_id: id, scope, exp } = answer.claims;
    assert.deepEqual([iss, id, scope], [issuer, client.clientId, "orders:read"]);
    assert.ok(exp !== undefined && exp > Date.now() / 1000);
    await revoke(value);
    assert.deepEqual(await authority.ask(value), { status: "no" });
  });
}

test("fault 20: node-oidc-provider refuses to introspect a JWT, which makes the token unavailable, not invalid", async (t) => {
  const { url, client } = await makeOidcProvider(t, "client_secret_basic");
  const { access_token: jwt } = await logIn(createFixture().issuer);
  const outcome = await open(t, introspection({ url, ...client })).ask(jwt);
  assert.ok(outcome.status === "unavailable");
  assert.equal(outcome.cause, "authority_misconfigured");
});

test("fault 20: a wrong secret, client or path at node-oidc-provider is a misconfiguration", async (t) => {
  const { url, client, token } = await makeOidcProvider(t, "client_secret_basic");
  const value = await token();
  for (const options of [
    { url, ...client, clientSecret: "another" },
    { url, ...client, clientId: "another" },
    { url: `${url}/nowhere`, ...client },
  ]) {
    const outcome = await open(t, introspection(options)).ask(value);
    assert.ok(outcome.status === "unavailable");
    assert.equal(outcome.cause, "authority_misconfigured");
  }
});

test("the issuer answers yes on both endpoints, and no after the session has ended", async (t) => {
  const { issuer, clock } = createFixture();
  const client = { clientId: "orders", clientSecret: "the secret of orders" };
  const call = async (url: string, init: RequestInit) => await issuer.fetch(new Request(url, init));
  const validating = tokenValidation({ url: `${ISSUER_URL}/auth/validate`, ...client, fetch: call });
  const introspecting = introspection({ url: `${ISSUER_URL}/oauth/introspect`, ...client, fetch: call });
  const tokens = await logIn(issuer);
  for (const authority of [open(t, validating, clock), open(t, introspecting, clock)]) {
    authority.start();
    await authority.ready(AbortSignal.timeout(5_000), { attempt: true });
    assert.equal(authority.status().lastError, null);
    const answer = await authority.ask(tokens.access_token);
    assert.ok(answer.status === "yes");
    assert.deepEqual([answer.claims.sub, answer.claims.sid], ["ann", tokens.session_id]);
  }
  await issuer.endSession(tokens.session_id);
  assert.deepEqual(await open(t, validating, clock).ask(tokens.access_token), { status: "no" });
  assert.deepEqual(await open(t, introspecting, clock).ask(tokens.access_token), { status: "no" });
});
