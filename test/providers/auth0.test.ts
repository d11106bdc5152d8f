import { auth0 } from "../../src/providers/index.ts";
import { logoutEvents, testOptions, testShapes, type Provider } from "./shapes.ts";

const preset = { domain: "example.eu.auth0.com", audience: "https://api.example.com/orders" };
const iss = "https://example.eu.auth0.com/";
const provider: Provider = {
  name: "auth0",
  options: auth0(preset),
  keysUrls: ["https://example.eu.auth0.com/.well-known/jwks.json"],
  token: {
    iss,
    sub: "auth0|6553da60a54af58e29493993",
    aud: ["https://api.example.com/orders", "https://example.eu.auth0.com/userinfo"],
    azp: "K1AUPhZq8mRi0Q0pjhkfu1D7y6KjDQja",
    scope: "openid profile",
    permissions: ["orders:read"],
  },
};
const ofOrganization = auth0({ ...preset, organization: ["org_1", "org_2"] });

testShapes(provider, [
  {
    what: "an access token with two audiences and permissions",
    wanted: "valid",
    says: { scopes: ["openid", "profile", "orders:read"] },
  },
  {
    what: "an access token of a machine",
    claims: {
      sub: "awZfdIir8YFdGZ@clients",
      aud: preset.audience,
      gty: "client-credentials",
      scope: "orders:write",
    },
    wanted: "valid",
    says: { subject: "awZfdIir8YFdGZ@clients", scopes: ["orders:write", "orders:read"] },
  },
  {
    what: "an access token of the RFC 9068 profile",
    header: { typ: "at+jwt" },
    claims: { azp: undefined, client_id: "K1AUPhZq8mRi0Q0pjhkfu1D7y6KjDQja", jti: "73WakrfVbNJBaAmhQtEeDv" },
    wanted: "valid",
  },
  {
    what: "a token of an accepted organization",
    options: ofOrganization,
    claims: { org_id: "org_2" },
    wanted: "valid",
  },
  {
    what: "a token of another organization",
    options: ofOrganization,
    claims: { org_id: "org_3" },
    wanted: "wrong_claim",
  },
  { what: "a token without organization", options: ofOrganization, wanted: "wrong_claim" },
  {
    what: "an ID token",
    claims: {
      aud: "K1AUPhZq8mRi0Q0pjhkfu1D7y6KjDQja",
      azp: undefined,
      nonce: "n",
      sid: "s",
      email: "a@example.com",
    },
    wanted: "wrong_type",
  },
  {
    what: "an ID token without nonce",
    claims: { aud: "K1AUPhZq8mRi0Q0pjhkfu1D7y6KjDQja", azp: undefined, scope: undefined, sid: "s" },
    wanted: "wrong_audience",
  },
  { what: "a token for the Management API", claims: { aud: `${iss}api/v2/` }, wanted: "wrong_audience" },
  {
    what: "a token for another API",
    claims: { aud: ["https://stock", `${iss}userinfo`] },
    wanted: "wrong_audience",
  },
  {
    what: "a token of another tenant",
    claims: { iss: "https://other.eu.auth0.com/" },
    wanted: "wrong_issuer",
  },
  {
    what: "an issuer without the last slash",
    claims: { iss: "https://example.eu.auth0.com" },
    wanted: "wrong_issuer",
  },
  {
    what: "a logout token",
    claims: { aud: "K1AUPhZq8mRi0Q0pjhkfu1D7y6KjDQja", events: logoutEvents },
    header: { typ: "logout+jwt" },
    wanted: "wrong_type",
  },
]);

testOptions("auth0", auth0, [
  [{ ...preset, domain: "https://example.eu.auth0.com/login" }, /auth0: domain must be a domain such as/],
  [{ ...preset, domain: "" }, /auth0: domain/],
  [{ ...preset, organization: [] }, /auth0: organization/],
  [{ domain: preset.domain }, /auth0: audience/],
]);
