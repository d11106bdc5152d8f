import { hash } from "node:crypto";
import type { Instant } from "../../core/clock.ts";
import type { InvalidVerdict, JwtClaims, UnavailableVerdict } from "../../core/verdict.ts";
import type { VerificationKey } from "../../jwt/jwk-set.ts";
import type { ParsedToken } from "../../jwt/parse.ts";
import type { GuardedIssuer } from "../issuers/guarded-issuer.ts";

/** What was found out about a token. Time, revocation, degradation and a route's rules are decided on every call. */
export interface ValidToken {
  readonly status: "valid";
  /** Whose token it is. */
  readonly guardedIssuer: GuardedIssuer;
  /** Deeply frozen. */
  readonly claims: Readonly<JwtClaims>;
  readonly subject: string;
  readonly scopes: readonly string[];
  readonly sessionId: string | undefined;
  /**
   * What the authority's no is kept under: a digest of what was signed. A signature has several spellings, and not
   * every provider makes each `jti` once. `undefined` where there is no authority, or no signature.
   */
  readonly signedDigest: string | undefined;
  /** Epoch ms; `Infinity` without `exp`. */
  readonly expiresAt: number;
  /** The same as the token says it. An end that the authority put before it has to be known until then. */
  readonly tokenExpiresAt: number;
  /** That proved it; `null` for one that only its authority vouches for: opaque, or signed by a key that cannot be fetched. */
  readonly key: VerificationKey | null;
  /** Of the key that signed it. */
  readonly kid: string | undefined;
  /** Of the keys in whose place the authority was asked; `null` where a key proved it, and where none signed it. */
  readonly keyEpoch: number | null;
  /** Whether everybody was asked who is to be asked; false when the authority gave no answer yet. */
  readonly isComplete: boolean;
  /** State of the revocations that were last asked about it, so that only news makes them be asked again. */
  revocationsVersion: number;
  /** When it was first let in without the authority that should have been asked. */
  degradedSince: Instant | null;
}

/** What is known of a token without an answer of its authority: its proof or an earlier answer, or only whose it is. */
export type LocalResult = ValidToken | GuardedIssuer;

export type ValidationResult = ValidToken | InvalidVerdict | UnavailableVerdict;

/** What a token proved by itself. */
export function verifiedToken(
  { claims, signingInput }: ParsedToken,
  key: VerificationKey,
  issuer: GuardedIssuer,
): ValidToken {
  const isWhole = issuer.authority === undefined;
  const signedDigest = isWhole ? undefined : hash("sha256", signingInput, "base64url");
  return validToken(issuer, claims, { key, kid: key.kid, isComplete: isWhole, signedDigest });
}

/** What one says of itself whose key cannot be fetched: true only if the authority says so. */
export function unverifiedToken(
  { claims, signingInput, kid }: ParsedToken,
  issuer: GuardedIssuer,
): ValidToken {
  const signedDigest = hash("sha256", signingInput, "base64url");
  return validToken(issuer, claims, {
    key: null,
    kid,
    keyEpoch: issuer.keyring.epoch,
    isComplete: false,
    signedDigest,
  });
}

/** Whether what it says of itself is true, by its key or because the authority said so before. */
export function isAuthentic(local: LocalResult): local is ValidToken & { signedDigest: string } {
  return "claims" in local && local.signedDigest !== undefined && (local.key !== null || local.isComplete);
}

/** What the authority says of a token that proves nothing by itself. */
export function opaqueToken(answer: Readonly<JwtClaims>, issuer: GuardedIssuer): ValidToken {
  return validToken(issuer, answer, { key: null, kid: undefined, isComplete: true, signedDigest: undefined });
}

/** What it says of a signed one. It can take away, and add what only it knows. */
export function confirmedToken(answer: Readonly<JwtClaims>, local: ValidToken): ValidToken {
  const said = answer.scope ?? answer["scp"];
  const { exp } = answer;
  const endsEarlier = exp !== undefined && exp * 1000 < local.expiresAt;
  return {
    ...local,
    claims: endsEarlier ? Object.freeze({ ...local.claims, exp }) : local.claims,
    scopes: said === undefined ? local.scopes : local.guardedIssuer.scopeSets.scopesOf(answer),
    expiresAt: endsEarlier ? exp * 1000 : local.expiresAt,
    isComplete: true,
    revocationsVersion: -1,
    degradedSince: null,
  };
}

function validToken(
  issuer: GuardedIssuer,
  claims: Readonly<JwtClaims>,
  more: Pick<ValidToken, "key" | "kid" | "isComplete" | "signedDigest"> & { readonly keyEpoch?: number },
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
    ...more,
    revocationsVersion: -1,
    degradedSince: null,
  };
}
