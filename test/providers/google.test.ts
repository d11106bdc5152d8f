import { google } from "../../src/providers/index.ts";
import { testOptions, testShapes, type Provider } from "./shapes.ts";

const clientId = "1234567890-example.apps.googleusercontent.com";
const provider: Provider = {
  name: "google",
  options: google({ clientId }),
  keysUrls: ["https://www.googleapis.com/oauth2/v3/certs"],
  token: {
    iss: "https://accounts.google.com",
    azp: clientId,
    aud: clientId,
    sub: "10769150350006150715113082367",
    at_hash: "HK6E_P6Dh8Y93mRNtsDB1Q",
    hd: "example.com",
    email: "jsmith@example.com",
    email_verified: true,
    auth_time: undefined,
  },
};
const android = "1234567890-android.apps.googleusercontent.com";
const service = "https://orders-x.a.run.app";
const account = "orders@example.iam.gserviceaccount.com";
const ofAccount = google({ clientId: service, serviceAccounts: account });
const accountToken = {
  aud: service,
  azp: "1122",
  sub: "1122",
  email: account,
  email_verified: true,
  hd: undefined,
  at_hash: undefined,
};
const ofDomain = google({ clientId, hostedDomain: "example.com" });

testShapes(provider, [
  { what: "an ID token", wanted: "valid", says: { subject: "10769150350006150715113082367" } },
  { what: "an ID token whose iss has no https", claims: { iss: "accounts.google.com" }, wanted: "valid" },
  { what: "an ID token with nonce", claims: { nonce: "n", at_hash: undefined }, wanted: "valid" },
  { what: "a token of a personal account", claims: { hd: undefined, email: "a@gmail.com" }, wanted: "valid" },
  {
    what: "a token of an Android application of the same project",
    options: google({ clientId: [clientId, android] }),
    claims: { azp: android },
    wanted: "valid",
  },
  {
    what: "a token that an application asked for which is not named",
    claims: { azp: android },
    wanted: "wrong_claim",
  },
  { what: "an ID token without azp", claims: { azp: undefined }, wanted: "valid" },
  {
    what: "a token of a named service account for the address of a service",
    options: ofAccount,
    claims: accountToken,
    wanted: "valid",
  },
  {
    what: "a token of a stranger's service account for the address of a service",
    options: ofAccount,
    claims: { ...accountToken, email: "bot@stranger.iam.gserviceaccount.com" },
    wanted: "wrong_claim",
  },
  {
    what: "a token of a service account without its address",
    options: ofAccount,
    claims: { ...accountToken, email: undefined, email_verified: undefined },
    wanted: "wrong_claim",
  },
  {
    what: "a token with an unverified address of a named service account",
    options: ofAccount,
    claims: { ...accountToken, email_verified: false },
    wanted: "wrong_claim",
  },
  {
    what: "a token of a stranger's service account for the client ID of the page",
    claims: { ...accountToken, aud: clientId, email: "bot@stranger.iam.gserviceaccount.com" },
    wanted: "wrong_claim",
  },
  {
    what: "a token of any service account where none is named",
    options: google({ clientId: [clientId, service] }),
    claims: accountToken,
    wanted: "wrong_claim",
  },
  {
    what: "a token of a user where service accounts are named",
    options: ofAccount,
    wanted: "wrong_audience",
  },
  { what: "a token of the Workspace domain", options: ofDomain, wanted: "valid" },
  {
    what: "a token of another Workspace domain",
    options: ofDomain,
    claims: { hd: "evil.example" },
    wanted: "wrong_claim",
  },
  {
    what: "a personal account where a domain is named",
    options: ofDomain,
    claims: { hd: undefined },
    wanted: "wrong_claim",
  },
  {
    what: "a token for another application",
    claims: { aud: "0-other.apps.googleusercontent.com" },
    wanted: "wrong_audience",
  },
  {
    what: "a token for another application, from an issuer without https",
    claims: { iss: "accounts.google.com", aud: "0-other.apps.googleusercontent.com" },
    wanted: "wrong_audience",
  },
  {
    what: "a token of another issuer",
    claims: { iss: "https://cloud.google.com/iap" },
    wanted: "wrong_issuer",
  },
  {
    what: "a security event",
    claims: { events: { "https://schemas.openid.net/secevent/risc/event-type/sessions-revoked": {} } },
    wanted: "wrong_type",
  },
]);

testOptions("google", google, [
  [{}, /google: clientId/],
  [{ clientId, serviceAccounts: [] }, /google: serviceAccounts/],
  [{ clientId, serviceAccounts: account, hostedDomain: "example.com" }, /google: hostedDomain .*left out/],
  [{ clientId, hostedDomain: "" }, /google: hostedDomain/],
  [{ clientID: clientId }, /google has no option "clientID"; .*did you mean clientId\?/],
]);
