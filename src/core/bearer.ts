/** The bearer token in the `Authorization` field of a request. */
export type PresentedToken =
  | { readonly status: "token"; readonly token: string }
  /** The request presents no bearer token. */
  | { readonly status: "none" }
  /** The request is at fault: 400 `invalid_request` (RFC 6750 §3.1). */
  | { readonly status: "malformed" };

/** A presentation that holds no token to validate. */
export type UnusableToken = Exclude<PresentedToken, { status: "token" }>;

/** The scheme is case-insensitive (RFC 9110 §11.1), and the token is a `b64token` (RFC 6750 §2.1). */
const bearerCredentials = /^bearer +([\w\-.~+/]+=*)$/i;
/** The syntax of a bearer token alone. */
const b64token = /^[\w\-.~+/]+=*$/;
/** The scheme ends where no character of a name follows. A tab after it makes the credentials malformed, not absent. */
const bearerScheme = /^bearer(?![\w!#$%&'*+\-.^`|~])/i;

/** Whether the text can stand behind the bearer scheme. */
export function isBearerToken(text: string): boolean {
  return b64token.test(text);
}

/** Whether a value of `Authorization` begins with the bearer scheme. */
export function isBearerScheme(authorization: string): boolean {
  return bearerScheme.test(authorization);
}

/** A proxy or a runtime may join two fields with a comma (RFC 9110 §5.3). Bearer credentials contain no comma. */
const joinedBearer = /, *bearer(?: |$)/i;

/**
 * Reads a bearer token from the values of `Authorization`, one item for each field line of the request. Two values are
 * malformed, on two lines or joined in one, because the recipient must not guess which of them counts.
 */
export function readBearer(authorization: readonly string[] | undefined): PresentedToken {
  const [value, ...others] = authorization ?? [];
  if (value === undefined) return { status: "none" };
  if (others.length > 0) return { status: "malformed" };
  if (!isBearerScheme(value)) return { status: joinedBearer.test(value) ? "malformed" : "none" };
  const token = bearerCredentials.exec(value)?.[1];
  return token === undefined ? { status: "malformed" } : { status: "token", token };
}

/** The error codes of RFC 6750 §3.1 and RFC 9470 §3. */
export type BearerErrorCode =
  | "invalid_request"
  | "invalid_token"
  | "insufficient_scope"
  | "insufficient_user_authentication";

/** The parameters of a bearer challenge that describe the resource. */
export interface ChallengeParameters {
  readonly realm: string;
  /** The scopes that the resource needs. */
  readonly scopes?: readonly string[] | undefined;
  /** The URL of the metadata of the resource (RFC 9728 §5.1). */
  readonly resourceMetadata?: string | undefined;
}

/** A quoted string of a challenge holds visible ASCII and the blank, without quotation mark and backslash. */
const notQuotable = /[^\x20\x21\x23-\x5b\x5d-\x7e]/g;

function formatChallenge(
  attributes: readonly (readonly [name: string, value: string | undefined])[],
): string {
  const present = attributes.flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}="${value.replace(notQuotable, "")}"`],
  );
  return `Bearer ${present.join(", ")}`;
}

/**
 * The value of `WWW-Authenticate` (RFC 6750 §3). `error` is left out for a request without credentials (§3.1).
 */
export function bearerChallenge(
  { realm, scopes, resourceMetadata }: ChallengeParameters,
  error?: BearerErrorCode,
): string {
  return formatChallenge([
    ["realm", realm],
    ["error", error],
    ["scope", scopes?.join(" ")],
    ["resource_metadata", resourceMetadata],
  ]);
}

/** The challenge to a login that is too old (RFC 9470 §3). `maxAgeMs` is the greatest age that the resource accepts. */
export function stepUpChallenge(
  { realm, resourceMetadata }: ChallengeParameters,
  maxAgeMs: number | undefined,
): string {
  return formatChallenge([
    ["realm", realm],
    ["error", "insufficient_user_authentication"],
    ["error_description", "More recent authentication is required"],
    ["max_age", maxAgeMs === undefined ? undefined : String(Math.floor(maxAgeMs / 1000))],
    ["resource_metadata", resourceMetadata],
  ]);
}

/** The answer to a request whose bearer token is missing, malformed or invalid. */
export interface BearerRefusal {
  readonly status: 400 | 401;
  /** The `error` of the JSON body. */
  readonly error: "unauthorized" | "invalid_request" | "invalid_token";
  /** The `error_description` of the JSON body. */
  readonly description: string;
  /** The value of `WWW-Authenticate`. */
  readonly challenge: string;
}

const descriptions = {
  none: "A bearer token is needed.",
  malformed: "Send exactly one well-formed bearer token.",
  invalid: "The token is not valid.",
} as const;

/** Builds the answer with a challenge. It never tells why a token is invalid, so that a forger learns nothing. */
export function refuseBearer(
  parameters: ChallengeParameters,
  status: UnusableToken["status"] | "invalid",
): BearerRefusal {
  const description = descriptions[status];
  if (status === "none") {
    return { status: 401, error: "unauthorized", description, challenge: bearerChallenge(parameters) };
  }
  const error = status === "malformed" ? "invalid_request" : "invalid_token";
  const challenge = bearerChallenge(parameters, error);
  return { status: status === "malformed" ? 400 : 401, error, description, challenge };
}
