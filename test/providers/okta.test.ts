import { okta } from "../../src/providers/index.ts";
import { logoutEvents, testOptions, testShapes, type Provider } from "./shapes.ts";

const preset = { domain: "example.okta.com", audience: "api://default" };
const iss = "https://example.okta.com/oauth2/default";
const provider: Provider = {
  name: "okta",
  options: okta(preset),
  keysUrls: [`${iss}/v1/keys`, "https://example.okta.com/oauth2/aus9o8wvkhockw9TL0h7/v1/keys"],
  header: { typ: undefined },
  token: {
    ver: 1,
    jti: "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE",
    iss,
    aud: "api://default",
    sub: "alice@example.com",
    cid: "nmdP1fcyvdVO11AL7ECm",
    uid: "00ujmkLgagxeRrAg20g3",
    scp: ["openid", "orders:read"],
  },
};

testShapes(provider, [
  { what: "an access token", wanted: "valid", says: { scopes: ["openid", "orders:read"] } },
  {
    what: "an access token of a service",
    claims: { uid: undefined, auth_time: undefined, sub: "nmdP1fcyvdVO11AL7ECm", scp: ["orders:write"] },
    wanted: "valid",
    says: { subject: "nmdP1fcyvdVO11AL7ECm", scopes: ["orders:write"] },
  },
  {
    what: "an access token of another custom server that is configured",
    options: okta({ ...preset, server: "aus9o8wvkhockw9TL0h7" }),
    claims: { iss: "https://example.okta.com/oauth2/aus9o8wvkhockw9TL0h7" },
    wanted: "valid",
  },
  {
    what: "an access token of an accepted client",
    options: okta({ ...preset, clients: ["nmdP1fcyvdVO11AL7ECm"] }),
    wanted: "valid",
  },
  {
    what: "an access token of another client",
    options: okta({ ...preset, clients: "0oaOTHER" }),
    wanted: "wrong_claim",
  },
  {
    what: "an access token of a user, where the subject is uid",
    options: { ...okta(preset), subjectFrom: "uid" },
    wanted: "valid",
    says: { subject: "00ujmkLgagxeRrAg20g3" },
  },
  {
    what: "an access token of a service, which has no uid, where the subject is uid",
    options: { ...okta(preset), subjectFrom: "uid" },
    claims: { uid: undefined, sub: "nmdP1fcyvdVO11AL7ECm" },
    wanted: "missing_claim",
  },
  {
    what: "an access token of the organization's own server",
    claims: { iss: "https://example.okta.com", aud: "https://example.okta.com" },
    header: { typ: "application/okta-internal-at+jwt" },
    wanted: "wrong_type",
  },
  {
    what: "an access token of another custom server",
    claims: { iss: "https://example.okta.com/oauth2/ausOTHER" },
    wanted: "wrong_issuer",
  },
  { what: "a token for another API", claims: { aud: "api://stock" }, wanted: "wrong_audience" },
  {
    what: "a token of another organization",
    claims: { iss: "https://other.okta.com/oauth2/default" },
    wanted: "wrong_issuer",
  },
  {
    what: "an ID token",
    claims: {
      jti: "ID.x",
      aud: "nmdP1fcyvdVO11AL7ECm",
      cid: undefined,
      scp: undefined,
      amr: ["pwd"],
      at_hash: "x",
    },
    wanted: "wrong_type",
  },
  {
    what: "an ID token without digest whose audience is the API",
    claims: { jti: "ID.x", cid: undefined, scp: undefined, amr: ["pwd"], idp: "00o" },
    wanted: "missing_claim",
  },
  {
    what: "a logout token",
    claims: { events: logoutEvents },
    header: { typ: "logout+jwt" },
    wanted: "wrong_type",
  },
]);

testOptions("okta", okta, [
  [{ ...preset, domain: "example.okta.com/oauth2/default" }, /okta: domain must be a domain/],
  [{ ...preset, server: "" }, /okta: server/],
  [{ ...preset, clients: [""] }, /okta: clients\[0\]/],
]);
