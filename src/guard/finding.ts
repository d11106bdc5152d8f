import { hash } from "node:crypto";
import type { Instant } from "../core/clock.ts";
import type { Invalid, JwtClaims, Unavailable } from "../core/verdict.ts";
import type { VerificationKey } from "../jwt/jwk-set.ts";
import type { ParsedToken } from "../jwt/parse.ts";
import type { Realm } from "./realm.ts";

/** What was found out about a token. Time, revocation, degradation and a route's rules are decided on every call. */
export interface Known {
  readonly status: "valid";
  /** Whose token it is. */
  readonly realm: Realm;
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
  readonly ownExpiresAt: number;
  /** That proved it; `null` for one that only its authority vouches for: opaque, or signed by a key that cannot be fetched. */
  readonly key: VerificationKey | null;
  /** Of the key that signed it. */
  readonly kid: string | undefined;
  /** Of the keys in whose place the authority was asked; `null` where a key proved it, and where none signed it. */
  readonly era: number | null;
  /** Whether everybody was asked who is to be asked; false when the authority gave no answer yet. */
  readonly isWhole: boolean;
  /** State of the revocations that were last asked about it, so that only news makes them be asked again. */
  clearedAt: number;
  /** When it was first let in without the authority that should have been asked. */
  lapsedAt: Instant | null;
}

/** What is known of a token without an answer of its authority: its proof or an earlier answer, or only whose it is. */
export type Base = Known | Realm;

export type Finding = Known | Invalid | Unavailable;

/** What a token proved by itself. */
export function proven({ claims, signingInput }: ParsedToken, key: VerificationKey, realm: Realm): Known {
  const isWhole = realm.authority === undefined;
  const signedDigest = isWhole ? undefined : hash("sha256", signingInput, "base64url");
  return known(realm, claims, { key, kid: key.kid, isWhole, signedDigest });
}

/** What one says of itself whose key cannot be fetched: true only if the authority says so. */
export function claimed({ claims, signingInput, kid }: ParsedToken, realm: Realm): Known {
  const signedDigest = hash("sha256", signingInput, "base64url");
  return known(realm, claims, { key: null, kid, era: realm.keyring.era, isWhole: false, signedDigest });
}

/** Whether what it says of itself is true, by its key or because the authority said so before. */
export function isProven(base: Base): base is Known & { signedDigest: string } {
  return "claims" in base && base.signedDigest !== undefined && (base.key !== null || base.isWhole);
}

/** What the authority says of a token that proves nothing by itself. */
export function vouched(answer: Readonly<JwtClaims>, realm: Realm): Known {
  return known(realm, answer, { key: null, kid: undefined, isWhole: true, signedDigest: undefined });
}

/** What it says of a signed one. It can take away, and add what only it knows. */
export function confirmed(answer: Readonly<JwtClaims>, base: Known): Known {
  const said = answer.scope ?? answer["scp"];
  const { exp } = answer;
  const endsEarlier = exp !== undefined && exp * 1000 < base.expiresAt;
  return {
    ...base,
    claims: endsEarlier ? Object.freeze({ ...base.claims, exp }) : base.claims,
    scopes: said === undefined ? base.scopes : base.realm.scopes.of(answer),
    expiresAt: endsEarlier ? exp * 1000 : base.expiresAt,
    isWhole: true,
    clearedAt: -1,
    lapsedAt: null,
  };
}

function known(
  realm: Realm,
  claims: Readonly<JwtClaims>,
  more: Pick<Known, "key" | "kid" | "isWhole" | "signedDigest"> & { readonly era?: number },
): Known {
  const expiresAt = claims.exp === undefined ? Infinity : claims.exp * 1000;
  return {
    status: "valid",
    realm,
    claims,
    subject: claims.sub ?? "",
    scopes: realm.scopes.of(claims),
    sessionId: claims.sid,
    expiresAt,
    ownExpiresAt: expiresAt,
    era: null,
    ...more,
    clearedAt: -1,
    lapsedAt: null,
  };
}
