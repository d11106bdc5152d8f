import { hash } from "node:crypto";
import type { JwtClaims } from "../../core/verdict.ts";
import type { VerificationKey } from "../../jwt/jwk-set.ts";
import type { ParsedToken } from "../../jwt/parse.ts";
import type { GuardedIssuer } from "../issuers/guarded-issuer.ts";
import { readAuthTime } from "./auth-age.ts";
import type { ValidToken } from "./validation-result.ts";

/** A token whose signature `key` verified. */
export function verifiedToken(
  { claims, signingInput }: ParsedToken,
  key: VerificationKey,
  issuer: GuardedIssuer,
): ValidToken {
  const isComplete = issuer.authority === undefined;
  const signedDigest = isComplete ? undefined : hash("sha256", signingInput, "base64url");
  return validToken(issuer, claims, { key, kid: key.kid, isComplete, signedDigest });
}

/** A token whose key cannot be fetched. Its claims count only after the authority confirmed them. */
export function unverifiedToken(
  { claims, signingInput, kid }: ParsedToken,
  issuer: GuardedIssuer,
): ValidToken {
  const signedDigest = hash("sha256", signingInput, "base64url");
  const keyEpoch = issuer.keyring.epoch;
  return validToken(issuer, claims, { key: null, kid, keyEpoch, isComplete: false, signedDigest });
}

/** An opaque token, with the claims of the authority's answer. */
export function opaqueToken(answer: Readonly<JwtClaims>, issuer: GuardedIssuer): ValidToken {
  return validToken(issuer, answer, { key: null, kid: undefined, isComplete: true, signedDigest: undefined });
}

/**
 * A signed token after the authority's yes. The answer can shorten the token's life, and it replaces the scopes when it
 * names any. It supplies the time of the login when the token names none (RFC 9470 §6.2).
 */
export function confirmedToken(answer: Readonly<JwtClaims>, token: ValidToken): ValidToken {
  const answeredScopes = answer.scope ?? answer["scp"];
  const { exp } = answer;
  const endsEarlier = exp !== undefined && exp * 1000 < token.expiresAt;
  const authTime = readAuthTime(token.claims) === undefined ? readAuthTime(answer) : undefined;
  const more = { ...(endsEarlier && { exp }), ...(authTime !== undefined && { auth_time: authTime }) };
  const isSame = !endsEarlier && authTime === undefined;
  return {
    ...token,
    claims: isSame ? token.claims : Object.freeze({ ...token.claims, ...more }),
    scopes: answeredScopes === undefined ? token.scopes : token.guardedIssuer.scopeSets.scopesOf(answer),
    expiresAt: endsEarlier ? exp * 1000 : token.expiresAt,
    isComplete: true,
    revocationsVersion: -1,
    degradedSince: null,
  };
}

function validToken(
  issuer: GuardedIssuer,
  claims: Readonly<JwtClaims>,
  checks: Pick<ValidToken, "key" | "kid" | "isComplete" | "signedDigest"> & { readonly keyEpoch?: number },
): ValidToken {
  const expiresAt = claims.exp === undefined ? Infinity : claims.exp * 1000;
  return {
    status: "valid",
    guardedIssuer: issuer,
    claims,
    subject: claims.sub ?? "",
    scopes: issuer.scopeSets.scopesOf(claims),
    sessionId: claims.sid,
    expiresAt,
    tokenExpiresAt: expiresAt,
    keyEpoch: null,
    ...checks,
    revocationsVersion: -1,
    degradedSince: null,
  };
}
