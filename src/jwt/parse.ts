import type { InvalidReason, JwtClaims } from "../core/verdict.ts";
import { canonicalAlgorithm, isAlgorithm, type Algorithm } from "./algorithms.ts";
import { hasRegisteredTypes, nullableInToken, withoutNull } from "./registered-claims.ts";
import { decodeBase64url, parseJsonObject } from "./strict-json.ts";

/** The members of a JOSE header (RFC 7515 §4) that count. Keys in the header (`jwk`, `jku`, `x5c`, `x5u`) are ignored. */
export interface TokenHeader {
  readonly algorithm: Algorithm;
  readonly kid: string | undefined;
  /** Normalized by {@link normalizeTyp}. */
  readonly typ: string | undefined;
}

/** A well-formed token. Its signature and claims are not verified yet. */
export interface ParsedToken extends TokenHeader {
  /** The claims are deeply frozen, and registered claims have their types. */
  readonly claims: Readonly<JwtClaims>;
  /** The encoded header and payload as received, in ASCII. */
  readonly signingInput: string;
  readonly signature: Buffer;
}

/** Why a text is not an acceptable token. */
export interface ParseFailure {
  readonly reason: InvalidReason;
}

/**
 * Remembers parsed headers by their encoding, because a provider sends the same few with every token. An entry depends
 * on nothing but its key, so that it never becomes stale. The size is bounded against made-up headers.
 */
export class HeaderMemo extends Map<string, TokenHeader> {
  override set(encoded: string, header: TokenHeader): this {
    if (encoded.length > 512) return this;
    if (this.size >= 64) this.clear();
    return super.set(encoded, header);
  }
}

/** Normalizes the media type in `typ`: lower case, without the optional prefix `application/` (RFC 7515 §4.1.9). */
export function normalizeTyp(typ: string): string {
  const lower = typ.toLowerCase();
  const short = lower.startsWith("application/") ? lower.slice(12) : lower;
  return short.includes("/") ? lower : short;
}

/**
 * Parses the compact serialization (RFC 7515 §7.1), and accepts only its canonical encoding. The parser uses no
 * cryptography, no policy and no clock. Callers must limit the size first: cost and memory grow with the token's length.
 */
export function parseToken(token: string, memo?: HeaderMemo): ParsedToken | ParseFailure {
  const first = token.indexOf(".");
  const second = token.indexOf(".", first + 1);
  if (first < 0 || second < 0 || token.includes(".", second + 1)) return { reason: "malformed" };

  const encodedHeader = token.slice(0, first);
  let header: TokenHeader | InvalidReason | undefined = memo?.get(encodedHeader);
  if (header === undefined) {
    const bytes = decodeBase64url(encodedHeader);
    if (bytes === null) return { reason: "malformed" };
    header = readHeader(parseJsonObject(bytes));
    if (typeof header === "string") return { reason: header };
    // A slice would keep the whole token in memory. A new encoding of the bytes does not.
    memo?.set(bytes.toString("base64url"), header);
  }

  const signature = decodeBase64url(token.slice(second + 1));
  const payload = decodeBase64url(token.slice(first + 1, second));
  if (signature === null || signature.length === 0 || payload === null) return { reason: "malformed" };
  const given: JwtClaims | null = parseJsonObject(payload);
  if (given === null) return { reason: "malformed" };
  const claims = withoutNull(given, nullableInToken);
  if (!hasRegisteredTypes(claims)) return { reason: "invalid_claim" };
  return {
    algorithm: header.algorithm,
    kid: header.kid,
    typ: header.typ,
    claims,
    signingInput: token.slice(0, second),
    signature,
  };
}

function readHeader(header: Readonly<Record<string, unknown>> | null): TokenHeader | InvalidReason {
  if (header === null || typeof header["alg"] !== "string") return "malformed";
  const { kid, typ } = header;
  const alg = canonicalAlgorithm(header["alg"]);
  if (!isOptionalString(kid) || !isOptionalString(typ)) return "malformed";
  if (!isAlgorithm(alg)) return "wrong_algorithm";
  // `b64` changes the signing input (RFC 7797), and must be critical.
  if (Object.hasOwn(header, "crit") || Object.hasOwn(header, "b64")) return "unknown_critical";
  return { algorithm: alg, kid, typ: typ === undefined ? undefined : normalizeTyp(typ) };
}

function isOptionalString(value: unknown): value is string | undefined {
  return value === undefined || typeof value === "string";
}
