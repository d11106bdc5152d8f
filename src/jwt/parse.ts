import type { InvalidReason, JwtClaims } from "../core/verdict.ts";
import { isAlgorithm, type Algorithm } from "./algorithms.ts";
import { decodeBase64url, parseJsonObject } from "./strict-json.ts";

/** What a JOSE header (RFC 7515 §4) means here. Keys that it brings along (`jwk`, `jku`, `x5c`, `x5u`) mean nothing. */
export interface TokenHeader {
  readonly algorithm: Algorithm;
  readonly kid: string | undefined;
  /** As {@link normalizeTyp} makes it. */
  readonly typ: string | undefined;
}

/** A token of strict shape. Nothing about it is proved. */
export interface ParsedToken extends TokenHeader {
  /** Deeply frozen; registered claims have their types. */
  readonly claims: Readonly<JwtClaims>;
  /** Encoded header and payload as they came, ASCII. */
  readonly signingInput: string;
  readonly signature: Buffer;
}

export interface ParseFailure {
  readonly reason: InvalidReason;
}

/** The last second that a `Date` can hold. */
const MAX_NUMERIC_DATE = 8_640_000_000_000;

/**
 * Headers already read, by their encoding: a provider sends the same few with every token. A pure memo, so it holds
 * no rule and never goes stale; bounded, so that made-up headers cost no memory.
 */
export class HeaderMemo extends Map<string, TokenHeader> {
  override set(encoded: string, header: TokenHeader): this {
    if (encoded.length > 512) return this;
    if (this.size >= 64) this.clear();
    return super.set(encoded, header);
  }
}

/** A media type as `typ` gives it: without case and without the `application/` that may be left out (RFC 7515 §4.1.9). */
export function normalizeTyp(typ: string): string {
  const lower = typ.toLowerCase();
  const short = lower.startsWith("application/") ? lower.slice(12) : lower;
  return short.includes("/") ? lower : short;
}

/**
 * Reads the compact serialization (RFC 7515 §7.1) in the one spelling that it has. No cryptography, no rule of a
 * policy, no clock. The size limit comes before: cost and memory grow with the token's length.
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
    // A slice would keep the whole token in memory; a new encoding of its bytes does not.
    memo?.set(bytes.toString("base64url"), header);
  }

  const signature = decodeBase64url(token.slice(second + 1));
  const payload = decodeBase64url(token.slice(first + 1, second));
  if (signature === null || signature.length === 0 || payload === null) return { reason: "malformed" };
  const claims: JwtClaims | null = parseJsonObject(payload);
  if (claims === null) return { reason: "malformed" };
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

function readHeader(header: Record<string, unknown> | null): TokenHeader | InvalidReason {
  if (header === null || typeof header["alg"] !== "string") return "malformed";
  const { alg, kid, typ } = header;
  if (!isOptionalString(kid) || !isOptionalString(typ)) return "malformed";
  if (!isAlgorithm(alg)) return "wrong_algorithm";
  // `b64` changes what is signed (RFC 7797) and has to be critical.
  if (Object.hasOwn(header, "crit") || Object.hasOwn(header, "b64")) return "unknown_critical";
  return { algorithm: alg, kid, typ: typ === undefined ? undefined : normalizeTyp(typ) };
}

/** Whether registered claims, as far as they are there, have their types (RFC 7519 §4.1). */
export function hasRegisteredTypes({ iss, sub, aud, exp, nbf, iat, jti, scope, sid }: JwtClaims): boolean {
  return (
    isOptionalString(iss) &&
    isOptionalString(sub) &&
    isOptionalString(jti) &&
    (isOptionalString(scope) || isStringArray(scope)) &&
    isOptionalString(sid) &&
    isNumericDate(exp) &&
    isNumericDate(nbf) &&
    isNumericDate(iat) &&
    (isOptionalString(aud) || isStringArray(aud))
  );
}

/** Or absent. */
function isOptionalString(value: unknown): value is string | undefined {
  return value === undefined || typeof value === "string";
}

function isStringArray(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

/** Seconds since the epoch, not always whole (RFC 7519 §2); or absent. */
function isNumericDate(value: unknown): boolean {
  return value === undefined || (typeof value === "number" && value >= 0 && value <= MAX_NUMERIC_DATE);
}
