import { firebase } from "../../src/providers/index.ts";
import { testOptions, testShapes, usualTimes, type Provider } from "./shapes.ts";

const iss = "https://securetoken.google.com/example-shop";
const provider: Provider = {
  name: "firebase",
  options: firebase({ projectId: "example-shop" }),
  keysUrls: ["https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com"],
  token: {
    iss,
    aud: "example-shop",
    sub: "u1",
    user_id: "u1",
    email: "alice@example.com",
    email_verified: true,
    firebase: { identities: { email: ["alice@example.com"] }, sign_in_provider: "password" },
  },
};
const ofTenant = firebase({ projectId: "example-shop", tenant: ["tenant-a", "tenant-b"] });
const inTenant = (tenant: string) => ({ firebase: { tenant, sign_in_provider: "password" } });

testShapes(provider, [
  { what: "an ID token, which is the bearer token", wanted: "valid", says: { subject: "u1", scopes: [] } },
  {
    what: "an ID token of an anonymous user",
    claims: { provider_id: "anonymous", email: undefined },
    wanted: "valid",
  },
  { what: "an ID token with custom claims", claims: { admin: true }, wanted: "valid" },
  {
    what: "an ID token of an accepted tenant",
    options: ofTenant,
    claims: inTenant("tenant-b"),
    wanted: "valid",
  },
  {
    what: "an ID token of another tenant",
    options: ofTenant,
    claims: inTenant("tenant-c"),
    wanted: "wrong_claim",
  },
  { what: "an ID token without tenant where tenants are named", options: ofTenant, wanted: "wrong_claim" },
  {
    what: "an ID token of another project",
    claims: { iss: "https://securetoken.google.com/other", aud: "other" },
    wanted: "wrong_issuer",
  },
  { what: "an ID token for another audience", claims: { aud: "other" }, wanted: "wrong_audience" },
  {
    what: "a session cookie",
    claims: { iss: "https://session.firebase.google.com/example-shop" },
    wanted: "wrong_issuer",
  },
  {
    what: "a custom token",
    claims: {
      iss: "sa@example-shop.iam.gserviceaccount.com",
      aud: "https://identitytoolkit.googleapis.com/",
      uid: "u1",
    },
    wanted: "wrong_issuer",
  },
  {
    what: "an App Check token",
    claims: { iss: "https://firebaseappcheck.googleapis.com/1", auth_time: undefined },
    wanted: "wrong_issuer",
  },
  {
    what: "a token without the time of the login",
    claims: { auth_time: undefined },
    wanted: "missing_claim",
  },
  {
    what: "a token that names itself an access token",
    claims: { token_use: "access" },
    wanted: "wrong_type",
  },
  { what: "a refresh token", claims: { token_use: "refresh" }, wanted: "wrong_type" },
  { what: "an expired ID token", claims: { exp: usualTimes().iat - 60 }, wanted: "expired" },
]);

testOptions("firebase", firebase, [
  [{}, /firebase: projectId/],
  [{ projectId: "p", tenant: [] }, /firebase: tenant/],
  [{ projectId: "p", project: "p" }, /firebase has no option "project"/],
]);
