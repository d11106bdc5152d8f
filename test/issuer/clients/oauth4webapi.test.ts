import assert from "node:assert/strict";
import { test } from "node:test";
import * as oauth from "oauth4webapi";
import { logIn, validateAtIssuer } from "../fixture.ts";
import { CLIENT_ID, CLIENT_SECRET, startIssuer, type ListeningIssuer } from "./start-issuer.ts";

const insecure = { [oauth.allowInsecureRequests]: true };
const service: oauth.Client = { client_id: CLIENT_ID };
const browser: oauth.Client = { client_id: "holdfast" };
const ways = {
  client_secret_basic: oauth.ClientSecretBasic(CLIENT_SECRET),
  client_secret_post: oauth.ClientSecretPost(CLIENT_SECRET),
};

async function discover({ url }: ListeningIssuer): Promise<oauth.AuthorizationServer> {
  const response = await oauth.discoveryRequest(new URL(url), { algorithm: "oauth2", ...insecure });
  return await oauth.processDiscoveryResponse(new URL(url), response);
}

async function refresh(
  as: oauth.AuthorizationServer,
  token: string,
  client = browser,
  auth = oauth.None(),
): Promise<oauth.TokenEndpointResponse> {
  const response = await oauth.refreshTokenGrantRequest(as, client, auth, token, insecure);
  return await oauth.processRefreshTokenResponse(as, client, response);
}

for (const [method, auth] of Object.entries(ways)) {
  test(`oauth4webapi with ${method} gets a token of its own, introspects it, revokes it and introspects it again`, async (t) => {
    const as = await discover(await startIssuer(t));
    assert.ok(as.token_endpoint_auth_methods_supported?.includes(method));
    const grant = { scope: "invoices:read" };
    const granted = await oauth.clientCredentialsGrantRequest(as, service, auth, grant, insecure);
    const { access_token, scope } = await oauth.processClientCredentialsResponse(as, service, granted);
    assert.equal(scope, "invoices:read");

    const describe = async () => {
      const response = await oauth.introspectionRequest(as, service, auth, access_token, insecure);
      return await oauth.processIntrospectionResponse(as, service, response);
    };
    const { active, client_id, sub, iss, token_type } = await describe();
    assert.deepEqual([active, client_id, sub], [true, CLIENT_ID, CLIENT_ID]);
    assert.deepEqual([iss, token_type], [as.issuer, "Bearer"]);

    const response = await oauth.revocationRequest(as, service, auth, access_token, insecure);
    await oauth.processRevocationResponse(response);
    assert.deepEqual(await describe(), { active: false });
  });

  test(`oauth4webapi with ${method} refreshes a first-party session`, async (t) => {
    const started = await startIssuer(t);
    const as = await discover(started);
    const { refresh_token } = await logIn(started.issuer);
    const tokens = await refresh(as, refresh_token, service, auth);
    assert.equal((await validateAtIssuer(started.issuer, tokens.access_token)).valid, true);
  });
}

test("oauth4webapi without a secret refreshes and logs out by revocation", async (t) => {
  const started = await startIssuer(t);
  const as = await discover(started);
  const { refresh_token } = await logIn(started.issuer);
  const tokens = await refresh(as, refresh_token);
  assert.equal(tokens.token_type, "bearer");
  assert.equal(tokens.scope, "orders:read");
  const token = tokens.refresh_token ?? "";
  await oauth.processRevocationResponse(
    await oauth.revocationRequest(as, browser, oauth.None(), token, insecure),
  );
  await assert.rejects(refresh(as, token), { error: "invalid_grant", status: 400 });
});

test("oauth4webapi distinguishes a conflict, an ended session, a refused scope and an outage", async (t) => {
  const started = await startIssuer(t);
  const as = await discover(started);
  const { refresh_token: first } = await logIn(started.issuer);
  const { refresh_token: second = "" } = await refresh(as, first);
  await refresh(as, second);
  await assert.rejects(refresh(as, first), { error: "refresh_conflict", status: 409 });

  const auth = ways.client_secret_basic;
  const tooMuch = await oauth.clientCredentialsGrantRequest(as, service, auth, { scope: "admin" }, insecure);
  const refused = oauth.processClientCredentialsResponse(as, service, tooMuch);
  await assert.rejects(refused, { error: "invalid_scope", status: 400 });
  const wrong = oauth.ClientSecretBasic("a wrong secret of the service");
  const unknown = await oauth.clientCredentialsGrantRequest(as, service, wrong, {}, insecure);
  const challenged = oauth.processClientCredentialsResponse(as, service, unknown);
  await assert.rejects(challenged, (error: oauth.WWWAuthenticateChallengeError) => {
    return error.status === 401 && error.cause[0]?.scheme === "basic";
  });

  await started.issuer.close();
  // The response is not an OAuth error, so a client cannot take it for the end of the session.
  const down = await oauth.refreshTokenGrantRequest(as, browser, oauth.None(), second, insecure);
  assert.deepEqual([down.status, down.headers.get("Retry-After")], [503, "1"]);
  await assert.rejects(oauth.processRefreshTokenResponse(as, browser, down), {
    code: "OAUTH_RESPONSE_IS_NOT_CONFORM",
  });
});
