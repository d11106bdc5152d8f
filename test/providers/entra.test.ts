import { entra } from "../../src/providers/index.ts";
import { logoutEvents, testOptions, testShapes, type Provider } from "./shapes.ts";

const tenant = "8d4c2fd9-0c7c-4a7b-8f0a-5b1c7f1f3f55";
const otherTenant = "1b7e9c7a-53a5-4f39-9a0f-0d7f0d8a2a10";
const clientId = "6e74172b-be56-4843-9ff4-e66a39bb12e3";
const spa = "c9b21e74-8d11-4c3c-8a0e-2f0d5f1b7a11";
const v2 = (tid: string) => ({ iss: `https://login.microsoftonline.com/${tid}/v2.0`, tid });
const v1 = (tid: string) => ({
  iss: `https://sts.windows.net/${tid}/`,
  tid,
  ver: "1.0",
  aud: `api://${clientId}`,
  azp: undefined,
  appid: spa,
});
const provider: Provider = {
  name: "entra",
  options: entra({ tenant, clientId }),
  keysUrls: ["common", tenant, otherTenant].flatMap((tid) => [
    `https://login.microsoftonline.com/${tid}/discovery/v2.0/keys`,
    `https://login.microsoftonline.com/${tid}/discovery/keys`,
  ]),
  token: {
    ...v2(tenant),
    aud: clientId,
    sub: "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ",
    oid: "690222be-ff1a-4d56-abd1-7e4f7d38e474",
    azp: spa,
    azpacr: "0",
    scp: "orders.read profile",
    ver: "2.0",
    auth_time: undefined,
  },
};
const asApp = {
  scp: undefined,
  roles: ["Orders.Read"],
  azpacr: "1",
  sub: "690222be-ff1a-4d56-abd1-7e4f7d38e474",
};
const asIdToken = {
  azp: undefined,
  azpacr: undefined,
  scp: undefined,
  preferred_username: "a@example.com",
  name: "A",
};

const ofAnyTenant = entra({ tenant: "any", clientId });
const ofClient = entra({ tenant, clientId, clients: spa });

testShapes(provider, [
  {
    what: "an access token of a user (version 2)",
    wanted: "valid",
    says: { scopes: ["orders.read", "profile"] },
  },
  {
    what: "an access token of an application (version 2)",
    claims: asApp,
    wanted: "valid",
    says: { scopes: ["Orders.Read"] },
  },
  {
    what: "an access token of a user with roles",
    claims: { roles: ["Orders.Admin"] },
    wanted: "valid",
    says: { scopes: ["orders.read", "profile", "Orders.Admin"] },
  },
  { what: "an access token of a user (version 1)", claims: v1(tenant), wanted: "valid" },
  {
    what: "an access token of an application (version 1)",
    claims: { ...asApp, ...v1(tenant) },
    wanted: "valid",
  },
  {
    what: "an access token for an Application ID URI of its own",
    options: entra({ tenant, clientId, applicationIdUri: "https://example.com/orders" }),
    claims: { ...v1(tenant), aud: "https://example.com/orders" },
    wanted: "valid",
  },
  {
    what: "an access token of the second tenant",
    options: entra({ tenant: [tenant, otherTenant], clientId }),
    claims: v2(otherTenant),
    wanted: "valid",
  },
  { what: "an access token of any tenant", options: ofAnyTenant, claims: v2(otherTenant), wanted: "valid" },
  { what: "a version 1 token of any tenant", options: ofAnyTenant, claims: v1(otherTenant), wanted: "valid" },
  {
    what: "a token of any tenant for another API",
    options: ofAnyTenant,
    claims: { ...v2(otherTenant), aud: spa },
    wanted: "wrong_audience",
  },
  {
    what: "a token of any tenant from a made-up host",
    options: ofAnyTenant,
    claims: { iss: `https://login.microsoftonline.com.evil.example/${tenant}/v2.0` },
    wanted: "wrong_issuer",
  },
  { what: "an access token of another tenant", claims: v2(otherTenant), wanted: "wrong_issuer" },
  { what: "a version 1 token of another tenant", claims: v1(otherTenant), wanted: "wrong_issuer" },
  { what: "an access token for another API", claims: { aud: spa }, wanted: "wrong_audience" },
  {
    what: "an access token for Microsoft Graph",
    claims: { aud: "00000003-0000-0000-c000-000000000000" },
    wanted: "wrong_audience",
  },
  { what: "an ID token", claims: { ...asIdToken, aud: spa, nonce: "n" }, wanted: "wrong_type" },
  { what: "an ID token of the same application, without nonce", claims: asIdToken, wanted: "missing_claim" },
  {
    what: "an ID token of the same application with its roles, where clients are named",
    options: ofClient,
    claims: { ...asIdToken, roles: ["Orders.Admin"] },
    wanted: "wrong_claim",
  },
  { what: "an access token of a named client", options: ofClient, wanted: "valid" },
  { what: "a version 1 token of a named client", options: ofClient, claims: v1(tenant), wanted: "valid" },
  {
    what: "an access token of another client, where clients are named",
    options: ofClient,
    claims: { azp: otherTenant },
    wanted: "wrong_claim",
  },
  {
    what: "a logout token",
    claims: { ...asIdToken, events: logoutEvents },
    header: { typ: "logout+jwt" },
    wanted: "wrong_type",
  },
  {
    what: "a token whose issuer is a made-up host",
    claims: { iss: `https://login.microsoftonline.com.evil.example/${tenant}/v2.0` },
    wanted: "wrong_issuer",
  },
]);

testOptions("entra", entra, [
  [
    { tenant: "common", clientId },
    /entra: tenant must be a Directory \(tenant\) ID in lower case, a list of them, or "any"; got "common"/,
  ],
  [{ tenant: "example.onmicrosoft.com", clientId }, /entra: tenant/],
  [{ tenant: [], clientId }, /entra: tenant/],
  [{ tenant }, /entra: clientId/],
]);
