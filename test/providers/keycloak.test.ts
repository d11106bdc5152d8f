import { keycloak } from "../../src/providers/index.ts";
import { logoutEvents, testOptions, testShapes, type Provider } from "./shapes.ts";

const preset = { url: "https://id.example.com", realm: "shop", audience: "orders-api" };
const iss = "https://id.example.com/realms/shop";
const roles = {
  realm_access: { roles: ["offline_access", "orders:read"] },
  resource_access: { "orders-api": { roles: ["editor"] }, account: { roles: ["view-profile"] } },
};
const provider: Provider = {
  name: "keycloak",
  options: keycloak(preset),
  keysUrls: [
    `${iss}/protocol/openid-connect/certs`,
    "http://keycloak:8080/realms/shop/protocol/openid-connect/certs",
  ],
  token: {
    iss,
    sub: "36fa0f91-f94d-4a0c-afed-6b7d952e47da",
    aud: ["orders-api", "account"],
    typ: "Bearer",
    azp: "spa",
    sid: "2a88c258-f73a-4103-b862-e1fbd8f4e04e",
    acr: "1",
    "allowed-origins": ["https://app.example.com"],
    ...roles,
    scope: "email profile",
  },
};

testShapes(provider, [
  {
    what: "an access token with an audience mapper",
    wanted: "valid",
    says: {
      scopes: ["email", "profile", "offline_access", "orders:read", "editor"],
      sessionId: "2a88c258-f73a-4103-b862-e1fbd8f4e04e",
    },
  },
  {
    what: "a service account's token",
    claims: { sid: undefined, client_id: "batch", aud: "orders-api", scope: "profile email" },
    wanted: "valid",
  },
  { what: "an access token of an older version, with nonce", claims: { nonce: "n" }, wanted: "valid" },
  { what: "an access token of RFC 9068", header: { typ: "at+jwt" }, wanted: "valid" },
  {
    what: "the default access token, for account only",
    claims: { aud: "account" },
    wanted: "wrong_audience",
  },
  { what: "an access token without audience", claims: { aud: undefined }, wanted: "missing_claim" },
  { what: "an access token for another API", claims: { aud: "stock-api" }, wanted: "wrong_audience" },
  {
    what: "an ID token of the API's own client",
    claims: { typ: "ID", aud: "orders-api", at_hash: "x", nonce: "n", realm_access: undefined },
    wanted: "wrong_type",
  },
  { what: "a refresh token", claims: { typ: "Refresh", aud: iss }, wanted: "wrong_type" },
  { what: "an offline token", claims: { typ: "Offline", aud: "orders-api" }, wanted: "wrong_type" },
  {
    what: "a logout token",
    claims: { typ: "Logout", aud: "orders-api", events: logoutEvents },
    header: { typ: "logout+jwt" },
    wanted: "wrong_type",
  },
  {
    what: "a token of another realm",
    claims: { iss: "https://id.example.com/realms/other" },
    wanted: "wrong_issuer",
  },
  {
    what: "a token bound to a key (DPoP)",
    claims: { typ: "DPoP", cnf: { jkt: "x" } },
    wanted: "sender_constrained",
  },
  {
    what: "a token of Keycloak at another address in the cluster",
    options: keycloak({ ...preset, internalUrl: "http://keycloak:8080/", allowHttp: ["keycloak"] }),
    wanted: "valid",
  },
  {
    what: "a token of a Keycloak that is called keycloak:8080",
    options: keycloak({ ...preset, url: "http://keycloak:8080", allowHttp: ["keycloak"] }),
    claims: { iss: "http://keycloak:8080/realms/shop" },
    wanted: "valid",
  },
]);

testOptions("keycloak", keycloak, [
  [{ ...preset, realm: "" }, /keycloak: realm must be a non-empty string/],
  [{ ...preset, url: "id.example.com" }, /keycloak: url must be .*; got "id\.example\.com"/],
  [{ ...preset, audience: undefined }, /keycloak: audience/],
  [
    { ...preset, url: "https://id.example.com/realms/shop" },
    /keycloak: url must be the address of the server, without \/realms\/; got "https:\/\/id\.example\.com\/realms\/shop"/,
  ],
  [
    { ...preset, internalUrl: "https://in.example.com/realms/shop/" },
    /keycloak: internalUrl must be the address/,
  ],
  [{ ...preset, clientId: "x" }, /keycloak has no option "clientId"/],
  [
    { ...preset, url: "http://keycloak:8080" },
    /keycloak: url must be an https URL.*; got "http:\/\/keycloak:8080"/,
  ],
  [
    { ...preset, internalUrl: "http://keycloak:8080" },
    /keycloak: internalUrl must be an https URL.*allowHttp/,
  ],
  [{ ...preset, allowHttp: "keycloak" }, /keycloak: allowHttp must be a list/],
]);
