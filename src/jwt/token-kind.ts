import type { JwtClaims } from "../core/verdict.ts";

/**
 * The use of a token, by its own statement. Providers sign ID tokens, refresh tokens and security events with the same keys.
 * The signature does not tell them apart (RFC 8725 §3.11).
 */
export type TokenKind = "access" | "id" | "other" | "unstated";

/** The claims in which providers name the use of a token. An introspection answer names it in the same members. */
const KIND_CLAIMS = ["token_use", "typ", "token_type", "tokenName"] as const;

/** Two claims that some providers use for this, and applications for anything. Only these values say something. */
const ambiguousClaims = { type: /^(refresh|refresh_token)$/i, purpose: /^(access|id|refresh)(_token)?$/i };

const statingClaims = [...KIND_CLAIMS, "type", "purpose"] as const;

/** The prefix of the names that RFC 8693 §3 gives to kinds of tokens. */
const KIND_URN = "urn:ietf:params:oauth:token-type:";

/** The names of kinds, in lower case and without a final `token`. */
const kindsByName: ReadonlyMap<string, TokenKind> = new Map([
  ...["access", "bearer", "dpop", "pop", "at"].map((name) => [name, "access"] as const),
  ...["id", "serialized-id"].map((name) => [name, "id"] as const),
  ...[
    "refresh",
    "offline",
    "logout",
    "secevent",
    "info",
    "n_a",
    "authorization_code",
    "initialaccess",
    "registrationaccess",
  ].map((name) => [name, "other"] as const),
]);

/**
 * The claims that only ID tokens have: the digests of OpenID Connect Core §3.3.2.11 and of FAPI. `null` counts as absent.
 */
const ID_TOKEN_DIGESTS = ["at_hash", "c_hash", "s_hash"] as const;

/**
 * The kind of a token by its claims, or by the answer of an authority about it. `unstated` when nothing tells, which is
 * common for access tokens. Security events, which include logout tokens, are `other` (RFC 8417 §2.2).
 */
export function tokenKind(claims: Readonly<JwtClaims>): TokenKind {
  if (isPresent(claims["events"])) return "other";
  const kind = statedKind(claims);
  if (kind === "other") return kind;
  if (ID_TOKEN_DIGESTS.some((name) => isPresent(claims[name]))) return "id";
  // Access tokens of older Keycloaks repeat the `nonce` of the login, and so do those of Azure AD B2C, which have `scp`.
  const isMarked = kind !== "unstated" || isPresent(claims["scp"]);
  return isPresent(claims["nonce"]) && !isMarked ? "id" : kind;
}

/** The claim by which {@link tokenKind} knows the kind. */
export function kindClaim(claims: Readonly<JwtClaims>, kind: TokenKind): string {
  const names = ["events", ...statingClaims, ...ID_TOKEN_DIGESTS, "nonce"];
  const tellsKind = (name: string) => tokenKind({ [name]: claims[name] }) === kind;
  return names.find(tellsKind) ?? "typ";
}

/** What a provider writes about the rights and the client of an access token (RFC 9068 §2.2). */
const ACCESS_CLAIMS = ["scope", "scp", "client_id"] as const;

/** The claim by which a token that does not state its kind looks like an access token. `undefined` when none does. */
export function accessClaim(claims: Readonly<JwtClaims>): string | undefined {
  return tokenKind(claims) === "unstated" ? ACCESS_CLAIMS.find((name) => isPresent(claims[name])) : undefined;
}

/** The kind that the claims name: `other` before `id`, and `id` before `access`. */
function statedKind(claims: Readonly<JwtClaims>): TokenKind {
  let kind: TokenKind = "unstated";
  for (const name of statingClaims) {
    const value = claims[name];
    if (typeof value !== "string") continue;
    const isAmbiguous = name === "type" || name === "purpose";
    if (isAmbiguous && !ambiguousClaims[name].test(value)) continue;
    const stated = kindOf(value);
    if (stated === "other") return stated;
    if (stated !== "unstated" && kind !== "id") kind = stated;
  }
  return kind;
}

function kindOf(value: string): TokenKind {
  if (value.length > 64) return "unstated";
  const name = value.toLowerCase().replace(KIND_URN, "").replace("+jwt", "");
  return kindsByName.get(name.replace(/[-_ ]?token$/, "")) ?? "unstated";
}

function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null;
}
