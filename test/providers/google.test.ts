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
const ofDomain = google({ clientId, hostedDomain: "example.com" });

testShapes(provider, [
  { what: "an ID token", wanted: "valid", says: { subject: "10769150350006150715113082367" } },
  { what: "an ID token whose iss has no https", claims: { iss: "accounts.google.com" }, wanted: "valid" },
  { what: "an ID token with nonce", claims: { nonce: "n", at_hash: undefined }, wanted: "valid" },
  { what: "a token of a personal account", claims: { hd: undefined, email: "a@gmail.com" }, wanted: "valid" },
  {
    what: "a token of an Android application of the same project",
    claims: { azp: "1234567890-android.apps.googleusercontent.com" },
    wanted: "valid",
  },
  {
    what: "a token of a service account for the address of a service",
    options: google({ clientId: "https://orders-x.a.run.app" }),
    claims: { aud: "https://orders-x.a.run.app", azp: "1122", hd: undefined, at_hash: undefined },
    wanted: "valid",
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
  [{ clientId, hostedDomain: "" }, /google: hostedDomain/],
  [{ clientID: clientId }, /google has no option "clientID"; .*did you mean clientId\?/],
]);
