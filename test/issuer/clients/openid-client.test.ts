import assert from "node:assert/strict";
import { test } from "node:test";
import * as client from "openid-client";
import { logIn, validateAtIssuer } from "../fixture.ts";
import { CLIENT_ID, CLIENT_SECRET, startIssuer } from "./start-issuer.ts";

async function configured(url: string, id: string, auth: client.ClientAuth): Promise<client.Configuration> {
  const options: client.DiscoveryRequestOptions = {
    algorithm: "oauth2",
    execute: [client.allowInsecureRequests],
  };
  return await client.discovery(new URL(url), id, undefined, auth, options);
}

const ways = {
  client_secret_basic: client.ClientSecretBasic(CLIENT_SECRET),
  client_secret_post: client.ClientSecretPost(CLIENT_SECRET),
};

for (const [method, auth] of Object.entries(ways)) {
  test(`openid-client with ${method} discovers, uses both grants, introspects and revokes`, async (t) => {
    const { url, issuer } = await startIssuer(t);
    const config = await configured(url, CLIENT_ID, auth);
    const own = await client.clientCredentialsGrant(config, { scope: "invoices:write" });
    assert.equal(own.scope, "invoices:write");
    const users = await client.refreshTokenGrant(config, (await logIn(issuer)).refresh_token);
    for (const { access_token } of [own, users]) {
      const described = await client.tokenIntrospection(config, access_token);
      assert.equal(described.active, true);
      await client.tokenRevocation(config, access_token);
      assert.deepEqual(await client.tokenIntrospection(config, access_token), { active: false });
    }
    const refreshToken = users.refresh_token ?? "";
    assert.equal((await client.tokenIntrospection(config, refreshToken)).active, true);
    await client.tokenRevocation(config, refreshToken, { token_type_hint: "access_token" });
    assert.deepEqual(await client.tokenIntrospection(config, refreshToken), { active: false });
  });
}

test("openid-client without a secret: concurrent refreshes get one successor, and a late one is a conflict", async (t) => {
  const { url, issuer } = await startIssuer(t);
  const config = await configured(url, "holdfast", client.None());
  const { refresh_token: first } = await logIn(issuer);
  const refresh = async (token: string) => await client.refreshTokenGrant(config, token);
  const all = await Promise.all(Array.from({ length: 20 }, async () => await refresh(first)));
  const [second = ""] = new Set(all.map((tokens) => tokens.refresh_token));
  assert.ok(all.every((tokens) => tokens.refresh_token === second));
  const tokens = await refresh(second);
  await assert.rejects(refresh(first), { error: "refresh_conflict", status: 409 });
  assert.equal((await validateAtIssuer(issuer, tokens.access_token)).valid, true);
});
