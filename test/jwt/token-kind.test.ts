import assert from "node:assert/strict";
import { test } from "node:test";
import type { JwtClaims } from "../../src/core/verdict.ts";
import { checkClaims, createClaimsPolicy } from "../../src/jwt/claims.ts";
import { tokenKind, type TokenKind } from "../../src/jwt/token-kind.ts";

const logout = { "http://schemas.openid.net/event/backchannel-logout": {} };

const marked: readonly [what: string, claims: JwtClaims, kind: TokenKind][] = [
  ["Keycloak: access token", { typ: "Bearer", azp: "spa", sid: "s", scope: "openid" }, "access"],
  ["Keycloak before 25: access token with a nonce", { typ: "Bearer", nonce: "n" }, "access"],
  ["Keycloak: ID token", { typ: "ID", nonce: "n", at_hash: "x" }, "id"],
  ["Keycloak: refresh token", { typ: "Refresh" }, "other"],
  ["Keycloak: offline token", { typ: "Offline" }, "other"],
  ["Keycloak: logout token", { typ: "Logout", events: logout }, "other"],
  ["Keycloak: signed user info", { typ: "INFO" }, "other"],
  ["Cognito: access token", { token_use: "access", client_id: "c", event_id: "e" }, "access"],
  ["Cognito: ID token", { token_use: "id" }, "id"],
  ["Hydra: access token", { token_use: "access_token", token_type: "Bearer" }, "access"],
  ["Hydra: refresh token", { token_use: "refresh_token" }, "other"],
  ["introspected refresh token", { token_type: "refresh_token" }, "other"],
  ["introspected refresh token of Holdfast", { token_type: "N_A" }, "other"],
  ["RFC 8693 name", { token_type: "urn:ietf:params:oauth:token-type:refresh_token" }, "other"],
  ["RFC 8693 name of an ID token", { token_type: "urn:ietf:params:oauth:token-type:id_token" }, "id"],
  ["simplejwt: access token", { token_type: "access" }, "access"],
  ["flask-jwt-extended: refresh token", { type: "refresh" }, "other"],
  ["Curity: ID token", { purpose: "id" }, "id"],
  ["ForgeRock: access token", { tokenName: "access_token", token_type: "Bearer", nonce: "n" }, "access"],
  ["ForgeRock: ID token", { tokenName: "id_token" }, "id"],
  ["Azure AD B2C: access token with a nonce", { scp: "read write", nonce: "n", ver: "1.0" }, "unstated"],
  ["Entra v2: access token", { scp: "orders.read", aio: "x", uti: "y", ver: "2.0" }, "unstated"],
  ["Auth0: access token", { azp: "c", gty: "client-credentials", permissions: [] }, "unstated"],
  ["Okta: access token", { cid: "c", uid: "u", scp: ["orders:read"], ver: 1, jti: "AT.x" }, "unstated"],
  ["Clerk: session token", { azp: "https://app.example", fva: [0, -1], sts: "active" }, "unstated"],
  ["Supabase: access token", { role: "authenticated", session_id: "s", aal: "aal1" }, "unstated"],
  ["Firebase: ID token", { user_id: "u", auth_time: 1, firebase: { sign_in_provider: "x" } }, "unstated"],
  ["Google: ID token", { azp: "c", at_hash: "x", email: "a@example.com" }, "id"],
  ["ID token of a hybrid flow", { c_hash: "x" }, "id"],
  ["ID token with a nonce", { nonce: "n" }, "id"],
  ["logout token of an older provider", { sid: "s", events: logout }, "other"],
  ["security event of an early draft", { events: ["urn:example:event"] }, "other"],
  ["null counts as absent", { events: null, nonce: null, at_hash: null, typ: null }, "unstated"],
  ["a claim `type` of the application", { type: "id", purpose: "refreshments" }, "unstated"],
  ["a kind that is not a string", { typ: 7, token_use: ["refresh"] }, "unstated"],
];

for (const [what, claims, kind] of marked) {
  test(`fault 75: the kind by the claims is ${kind}: ${what}`, () => {
    assert.equal(tokenKind(claims), kind);
    const good = { iss: "https://id", aud: "api", sub: "user", exp: 1_000, ...claims };
    const check = (types: readonly string[] | undefined) => {
      const policy = createClaimsPolicy({ issuer: "https://id", audience: "api", types });
      return checkClaims({ claims: good, typ: "jwt" }, policy);
    };
    const accepts = { access: [null, "wrong_type", null], id: ["wrong_type", null, null] };
    const refused = ["wrong_type", "wrong_type", "wrong_type"];
    // A policy for ID tokens alone also refuses a token that states no kind and has the scopes of an access token.
    const unstated = [null, claims["scp"] === undefined ? null : "wrong_type", null];
    const expected = { ...accepts, other: refused, unstated }[kind];
    assert.deepEqual([check(undefined), check(["id"]), check(["id", "at+jwt", "jwt"])], expected);
  });
}

test("fault 75: the types of a policy for ID tokens accept no header of an access token", () => {
  const policy = createClaimsPolicy({ issuer: "https://id", audience: "api", types: ["ID"] });
  const claims = { iss: "https://id", aud: "api", sub: "user", exp: 1_000 };
  const answers = ["jwt", undefined, "id", "at+jwt", "logout+jwt"].map((typ) =>
    checkClaims({ claims, typ }, policy),
  );
  assert.deepEqual(answers, [null, null, null, "wrong_type", "wrong_type"]);
});
