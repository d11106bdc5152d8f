import { hash } from "node:crypto";
import type { InvalidVerdict, JwtClaims } from "../../core/verdict.ts";
import { audienceOf, sessionOf, subjectOf } from "../../jwt/claim-sources.ts";
import { refuseClaims } from "../../jwt/claims.ts";
import type { VerificationKey } from "../../jwt/jwk-set.ts";
import type { ParsedToken } from "../../jwt/parse.ts";
import type { GuardedIssuer } from "../issuers/guarded-issuer.ts";
import type { ValidToken } from "./validation-result.ts";

/** A token whose signature `key` verified. */
export function verifiedToken(
  { claims, signingInput }: ParsedToken,
  key: VerificationKey,
  issuer: GuardedIssuer,
): ValidToken {
  const isComplete = issuer.jwtAuthority === undefined;
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
  const token = validToken(issuer, answer, {
    key: null,
    kid: undefined,
    isComplete: true,
    signedDigest: undefined,
  });
  return { ...token, lacksClaims: false };
}

/**
 * A signed token after the authority's yes. The answer adds the claims that the token lacks and replaces none, as some
 * providers keep roles or even `sub` out of the token. It can shorten the token's life, and it replaces the scopes when
 * it names any. The result is the refusal when the claims still do not fit the policy.
 */
export function confirmedToken(answer: Readonly<JwtClaims>, token: ValidToken): ValidToken | InvalidVerdict {
  const { ownClaims, guardedIssuer } = token;
  const claims = addClaims(ownClaims, answer);
  const refusal = refuseByClaims(claims, guardedIssuer);
  if (refusal !== null) return refusal;
  const { exp } = answer;
  const endsEarlier = exp !== undefined && exp * 1000 < token.tokenExpiresAt;
  return {
    ...token,
    claims: endsEarlier ? Object.freeze({ ...claims, exp }) : claims,
    subject: subjectOf(claims, guardedIssuer.claimsPolicy),
    sessionId: sessionOf(claims, guardedIssuer.claimsPolicy),
    scopes: guardedIssuer.scopeSets.scopesOf(ownClaims, answer),
    expiresAt: endsEarlier ? exp * 1000 : token.tokenExpiresAt,
    isComplete: true,
    revocationsVersion: -1,
    degradedSince: null,
  };
}

/** Why the whole policy refuses the claims. The header was checked with the signature, and an answer has none. */
function refuseByClaims(claims: Readonly<JwtClaims>, { claimsPolicy }: GuardedIssuer): InvalidVerdict | null {
  return refuseClaims({ claims, typ: undefined }, { ...claimsPolicy, requireTyp: false });
}

/** Why the policy refuses an answer about an opaque token. Some authorities leave out the audience. */
export function refuseAnswer(
  claims: Readonly<JwtClaims>,
  { claimsPolicy, answerMayLackAudience }: GuardedIssuer,
): InvalidVerdict | null {
  const lacksAudience = audienceOf(claims, claimsPolicy.audienceFrom) === undefined;
  const isWaived = answerMayLackAudience && lacksAudience;
  const policy = { ...claimsPolicy, requireTyp: false, ...(isWaived && { audience: null }) };
  return refuseClaims({ claims, typ: undefined }, policy);
}

/** Members of an introspection response that describe the answer and not the token (RFC 7662 §2.2). */
const ANSWER_MEMBERS = new Set(["active", "token_type"]);

/** The same object when the answer adds nothing. A claim that is `null` counts as absent. */
function addClaims(own: Readonly<JwtClaims>, answer: Readonly<JwtClaims>): Readonly<JwtClaims> {
  const isAbsent = (name: string) => !Object.hasOwn(own, name) || own[name] === null;
  const added = Object.entries(answer).filter(
    ([name, value]) => !ANSWER_MEMBERS.has(name) && value !== null && isAbsent(name),
  );
  return added.length === 0 ? own : Object.freeze({ ...own, ...Object.fromEntries(added) });
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
    ownClaims: claims,
    lacksClaims: issuer.jwtAuthority !== undefined && refuseByClaims(claims, issuer) !== null,
    subject: subjectOf(claims, issuer.claimsPolicy),
    scopes: issuer.scopeSets.scopesOf(claims),
    sessionId: sessionOf(claims, issuer.claimsPolicy),
    expiresAt,
    tokenExpiresAt: expiresAt,
    keyEpoch: null,
    ...checks,
    revocationsVersion: -1,
    degradedSince: null,
  };
}
