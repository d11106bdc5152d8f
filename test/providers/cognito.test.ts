import { cognito } from "../../src/providers/index.ts";
import { testOptions, testShapes, type Provider } from "./shapes.ts";

const preset = { userPoolId: "eu-central-1_Ab1Cd2Ef3", clientId: "1h57kf5cpq17m0eml12EXAMPLE" };
const iss = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Ab1Cd2Ef3";
const china = "https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_Ab1Cd2Ef3";
const provider: Provider = {
  name: "cognito",
  options: cognito(preset),
  keysUrls: [`${iss}/.well-known/jwks.json`, `${china}/.well-known/jwks.json`],
  header: { typ: undefined },
  token: {
    sub: "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
    "cognito:groups": ["editors"],
    iss,
    version: 2,
    client_id: preset.clientId,
    origin_jti: "9a1b",
    event_id: "e1",
    token_use: "access",
    scope: "orders/read openid",
    jti: "j1",
    username: "alice",
  },
};

testShapes(provider, [
  {
    what: "an access token, which has no aud",
    wanted: "valid",
    says: { scopes: ["orders/read", "openid", "editors"], sessionId: "9a1b" },
  },
  {
    what: "an access token of a machine",
    claims: {
      sub: preset.clientId,
      username: undefined,
      origin_jti: undefined,
      "cognito:groups": undefined,
      scope: "orders/write",
    },
    wanted: "valid",
    says: { subject: preset.clientId, scopes: ["orders/write"] },
  },
  {
    what: "an access token that names a resource in aud",
    claims: { aud: "https://api.example.com" },
    wanted: "valid",
  },
  {
    what: "an access token of a second app client",
    options: cognito({ ...preset, clientId: ["x", preset.clientId] }),
    wanted: "valid",
  },
  {
    what: "an access token of a pool in China",
    options: cognito({ ...preset, userPoolId: "cn-north-1_Ab1Cd2Ef3" }),
    claims: { iss: china },
    wanted: "valid",
  },
  { what: "an access token of another app client", claims: { client_id: "OTHER" }, wanted: "wrong_audience" },
  {
    what: "an access token of another app client that names ours in aud",
    claims: { client_id: "OTHER", aud: preset.clientId },
    wanted: "wrong_audience",
  },
  {
    what: "an ID token",
    claims: {
      token_use: "id",
      aud: preset.clientId,
      client_id: undefined,
      scope: undefined,
      "cognito:username": "alice",
    },
    wanted: "wrong_type",
  },
  { what: "an access token without its use", claims: { token_use: undefined }, wanted: "wrong_claim" },
  { what: "a token without client", claims: { client_id: undefined }, wanted: "missing_claim" },
  {
    what: "a token of another pool",
    claims: { iss: "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_OTHER" },
    wanted: "wrong_issuer",
  },
]);

testOptions("cognito", cognito, [
  [
    { ...preset, userPoolId: "Ab1Cd2Ef3" },
    /cognito: userPoolId must be a user pool ID such as .*; got "Ab1Cd2Ef3"/,
  ],
  [{ ...preset, clientId: [] }, /cognito: clientId/],
  [{ ...preset, region: "eu-central-1" }, /cognito has no option "region"/],
]);
