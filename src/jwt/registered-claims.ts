import type { JwtClaims } from "../core/verdict.ts";

/** The last second that a `Date` can represent. */
const MAX_NUMERIC_DATE = 8_640_000_000_000;

/**
 * The claims of a token that count as absent when they are `null`, as serializers of Java, .NET and Go write absent
 * members. The claims that limit a token stay strict, because other parsers refuse them.
 */
export const nullableInToken: readonly string[] = ["jti", "scope", "scp", "sid", "cnf", "client_id"];
/** The same for the answer of an authority. When it is silent about a date, the date of the token stays in force. */
export const nullableInAnswer: readonly string[] = [
  ...nullableInToken,
  "iss",
  "sub",
  "aud",
  "exp",
  "nbf",
  "iat",
];

/** The claims without those of `names` that are `null`, as a frozen copy when there is one. */
export function withoutNull(claims: Readonly<JwtClaims>, names: readonly string[]): Readonly<JwtClaims> {
  if (!names.some((name) => claims[name] === null)) return claims;
  const isNull = ([name, value]: [string, unknown]) => value === null && names.includes(name);
  return Object.freeze(Object.fromEntries(Object.entries(claims).filter((entry) => !isNull(entry))));
}

/** Whether all registered claims that are present have their types (RFC 7519 §4.1). */
export function hasRegisteredTypes({ iss, sub, aud, exp, nbf, iat, jti, scope, sid }: JwtClaims): boolean {
  return (
    isOptionalString(iss) &&
    isOptionalString(sub) &&
    isOptionalString(jti) &&
    (isOptionalString(scope) || isStringArray(scope)) &&
    isOptionalString(sid) &&
    isOptionalDate(exp) &&
    isOptionalDate(nbf) &&
    isOptionalDate(iat) &&
    (isOptionalString(aud) || isStringArray(aud))
  );
}

function isOptionalString(value: unknown): value is string | undefined {
  return value === undefined || typeof value === "string";
}

function isStringArray(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

/** A date is in seconds since the epoch, and may have a fraction (RFC 7519 §2). */
function isOptionalDate(value: unknown): boolean {
  return value === undefined || (typeof value === "number" && value >= 0 && value <= MAX_NUMERIC_DATE);
}
