import { clerk } from "../../src/providers/index.ts";
import { testOptions, testShapes, type Provider } from "./shapes.ts";

const preset = {
  domain: "clerk.example.com",
  origins: ["https://app.example.com", "https://admin.example.com"],
};
const provider: Provider = {
  name: "clerk",
  options: clerk(preset),
  keysUrls: ["https://clerk.example.com/.well-known/jwks.json"],
  header: { cat: "cl_B7d4PD111AAA" },
  token: {
    azp: "https://app.example.com",
    fva: [7, -1],
    iss: "https://clerk.example.com",
    sid: "sess_123",
    sts: "active",
    sub: "user_123",
    v: 2,
    auth_time: undefined,
  },
};
const withNative = clerk({ ...preset, native: true });

testShapes(provider, [
  {
    what: "a session token of version 2",
    wanted: "valid",
    says: { subject: "user_123", sessionId: "sess_123" },
  },
  {
    what: "a session token of version 1",
    claims: {
      v: undefined,
      sts: undefined,
      fva: undefined,
      org_id: "org_1",
      org_permissions: ["org:orders:read"],
    },
    wanted: "valid",
  },
  {
    what: "a session token with an organization",
    claims: { o: { id: "org_1", rol: "admin", per: "read,manage" }, azp: "https://admin.example.com" },
    wanted: "valid",
  },
  {
    what: "a token of a page on another origin",
    claims: { azp: "https://evil.example" },
    wanted: "wrong_audience",
  },
  {
    what: "a token of a page on a neighbouring origin",
    claims: { azp: "https://blog.example.com" },
    wanted: "wrong_audience",
  },
  { what: "a token without origin", claims: { azp: undefined }, wanted: "missing_claim" },
  {
    what: "a token of a native application, where those are accepted",
    options: withNative,
    claims: { azp: undefined },
    wanted: "valid",
  },
  {
    what: "a token of another origin, where native applications are accepted",
    options: withNative,
    claims: { azp: "https://evil.example" },
    wanted: "wrong_claim",
  },
  { what: "a session with tasks left", claims: { sts: "pending" }, wanted: "wrong_claim" },
  {
    what: "a token of a JWT template for another service",
    claims: { sid: undefined, aud: "hasura" },
    wanted: "missing_claim",
  },
  {
    what: "an OAuth access token of another application",
    claims: { azp: undefined, sid: undefined, client_id: "app_1", scope: "profile" },
    header: { typ: "at+jwt" },
    wanted: "missing_claim",
  },
  {
    what: "an ID token for another application",
    claims: { azp: undefined, sid: undefined, aud: "app_1", at_hash: "x", nonce: "n" },
    wanted: "wrong_type",
  },
  {
    what: "a token of another instance",
    claims: { iss: "https://clerk.other.example" },
    wanted: "wrong_issuer",
  },
  { what: "a token that is older than a minute", claims: { iat: 1, exp: 61 }, wanted: "expired" },
]);

testOptions("clerk", clerk, [
  [
    { ...preset, origins: ["app.example.com"] },
    /clerk: origins must be exact origins such as .*; got \["app\.example\.com"\]/,
  ],
  [{ ...preset, origins: [] }, /clerk: origins/],
  [{ ...preset, domain: "pk_live_x" }, /clerk: domain/],
  [{ ...preset, native: "yes" }, /clerk: native must be true or false/],
]);
