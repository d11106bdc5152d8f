import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { JwtClaims } from "../../src/core/verdict.ts";
import {
  checkClaims,
  checkTime,
  issuedAheadMs,
  createClaimsPolicy,
  type ClaimsPolicyOptions,
} from "../../src/jwt/claims.ts";
import type { ParsedToken } from "../../src/jwt/parse.ts";

const good: JwtClaims = { iss: "https://id", sub: "user", aud: "api", exp: 1000 };

function check(
  options: Partial<ClaimsPolicyOptions>,
  change: Record<string, unknown> = {},
  typ: string | undefined = "at+jwt",
) {
  const claims: JwtClaims = { ...good, ...change };
  for (const name of Object.keys(claims)) if (claims[name] === undefined) delete claims[name];
  const signature = Buffer.alloc(64);
  const token: ParsedToken = { algorithm: "ES256", kid: "k", typ, claims, signingInput: "", signature };
  return checkClaims(token, createClaimsPolicy({ issuer: "https://id", audience: "api", ...options }));
}

test("iss must equal the issuer exactly", () => {
  assert.equal(check({}), null);
  for (const iss of ["https://id/", "https://ID", "", "https://id "]) {
    assert.equal(check({}, { iss }), "wrong_issuer");
  }
  assert.equal(check({}, { iss: undefined }), "missing_claim");
});

test("aud must contain one of the accepted audiences", () => {
  assert.equal(check({ audience: ["x", "api"] }, { aud: ["other", "api"] }), null);
  assert.equal(check({}, { aud: ["other", "API"] }), "wrong_audience");
  assert.equal(check({}, { aud: "api2" }), "wrong_audience");
  assert.equal(check({}, { aud: [] }), "wrong_audience");
  assert.equal(check({}, { aud: undefined }), "missing_claim");
  assert.equal(check({ audience: null }, { aud: undefined }), null);
  assert.equal(check({ audience: null }, { aud: "anything" }), null);
});

test("typ must be an accepted type, and may be absent unless it is required", () => {
  assert.equal(check({}, {}, "jwt"), null);
  assert.equal(check({}, {}, "dpop+jwt"), "wrong_type");
  assert.equal(check({}, {}, ""), "wrong_type");
  assert.equal(check({ types: ["Application/AT+JWT"] }, {}, "at+jwt"), null);
  assert.equal(check({ types: ["at+jwt"] }, {}, "jwt"), "wrong_type");
  const claims = good;
  const token = { algorithm: "ES256", kid: "k", typ: undefined, claims, signingInput: "" } as const;
  const untyped: ParsedToken = { ...token, signature: Buffer.alloc(64) };
  const policy = { issuer: "https://id", audience: "api" };
  assert.equal(checkClaims(untyped, createClaimsPolicy(policy)), null);
  assert.equal(checkClaims(untyped, createClaimsPolicy({ ...policy, requireTyp: true })), "wrong_type");
});

test("law 2: a token without exp is rejected unless the policy allows it explicitly", () => {
  assert.equal(check({}, { exp: undefined }), "missing_claim");
  assert.equal(check({ allowMissingExp: true }, { exp: undefined }), null);
  assert.equal(check({ requiredClaims: [] }, { exp: undefined }), "missing_claim");
});

test("a required claim must be present and not empty", () => {
  assert.equal(check({}, { sub: undefined }), "missing_claim");
  assert.equal(check({}, { sub: "" }), "missing_claim");
  assert.equal(check({ requiredClaims: [] }, { sub: undefined }), null);
  assert.equal(check({ requiredClaims: ["tenant"] }, { tenant: null }), "missing_claim");
  assert.equal(check({ requiredClaims: ["tenant"] }, { tenant: 0 }), null);
  assert.equal(check({ requiredClaims: ["toString"] }), "missing_claim");
});

test("a token that is bound to a key is rejected", () => {
  for (const cnf of [{ jkt: "x" }, {}, false]) assert.equal(check({}, { cnf }), "sender_constrained");
});

test("createClaimsPolicy rejects wrong options by name", () => {
  const base = { issuer: "https://id", audience: "api" };
  const wrong: [object, RegExp][] = [
    [{ ...base, issuer: "" }, /issuer must be a non-empty string/],
    [{ ...base, audience: undefined }, /audience/],
    [{ ...base, audience: [] }, /audience must be null or at least one/],
    [{ ...base, audience: [""] }, /audience\[0\]/],
    [{ ...base, types: "jwt" }, /types must be an array/],
    [{ ...base, requireTyp: "yes" }, /requireTyp must be true or false/],
    [{ ...base, requiredClaim: [] }, /no option "requiredClaim"/],
  ];
  for (const [options, message] of wrong) {
    assert.throws(() => createClaimsPolicy(options as ClaimsPolicyOptions), {
      code: "invalid_option",
      message,
    });
  }
});

test("law 2: a token is expired from exp plus the tolerance on, to the millisecond", () => {
  const times = fc.record({
    exp: fc.nat(4e9),
    tolerance: fc.nat(300_000),
    offset: fc.integer({ min: -2e6, max: 2e6 }),
  });
  fc.assert(
    fc.property(times, ({ exp, tolerance, offset }) => {
      const end = exp * 1000 + tolerance;
      assert.equal(checkTime({ exp }, end + offset, tolerance), offset >= 0 ? "expired" : null);
    }),
  );
  assert.equal(checkTime({ exp: 0 }, 0, 0), "expired");
  assert.equal(checkTime({ exp: 10.5 }, 10_499, 0), null);
  assert.equal(checkTime({ exp: 10.5 }, 10_500, 0), "expired");
});

test("nbf may lie ahead by the tolerance, and iat by the tolerance or 60 s, whichever is more", () => {
  assert.equal(checkTime({ nbf: 100 }, 99_999, 0), "not_yet_valid");
  assert.equal(checkTime({ nbf: 100 }, 100_000, 0), null);
  assert.equal(checkTime({ nbf: 100 }, 98_000, 2000), null);
  assert.equal(checkTime({}, 0, 0), null);
  assert.equal(checkTime({ iat: 100 }, 0, 0), null);
  assert.equal(issuedAheadMs({ iat: 100 }, 39_999, 0), 1);
  assert.equal(issuedAheadMs({ iat: 100 }, 40_000, 0), 0);
  assert.equal(issuedAheadMs({ iat: 100 }, 10_000, 90_000), 0);
  assert.equal(issuedAheadMs({ iat: 100 }, 9_998, 90_000), 2);
  assert.equal(issuedAheadMs({}, 0, 0), 0);
});

test("a list among the required claims stands for one of its claims", () => {
  const requiredClaims = ["sub", ["azp", "client_id"]];
  assert.equal(check({ requiredClaims }, { client_id: "app" }), null);
  assert.equal(check({ requiredClaims }, { azp: "app" }), null);
  assert.equal(check({ requiredClaims }), "missing_claim");
  assert.equal(check({ requiredClaims }, { azp: null, client_id: "" }), "missing_claim");
  for (const wrong of ["sub", [[]], [""], [["azp", 1]], [{}]]) {
    assert.throws(() => check({ requiredClaims: wrong as never }), {
      code: "invalid_option",
      message: /requiredClaims/,
    });
  }
});
