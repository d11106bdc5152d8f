import type { InvalidReason, JwtClaims, UnavailableCause } from "../core/verdict.ts";
import type { VerificationKey } from "../jwt/jwk-set.ts";
import type { ParsedToken } from "../jwt/parse.ts";

/** What a token proved, for good. Time, revocation and a route's rules are decided on every call. */
export interface Proven {
  readonly status: "valid";
  /** Deeply frozen. */
  readonly claims: Readonly<JwtClaims>;
  readonly subject: string;
  readonly scopes: readonly string[];
  readonly sessionId: string | undefined;
  /** Epoch ms; `Infinity` without `exp`. */
  readonly expiresAt: number;
  readonly key: VerificationKey;
  /** State of the revocations that were last asked about it, so that only news makes them be asked again. */
  clearedAt: number;
}

export interface Refused {
  readonly status: "invalid";
  readonly reason: InvalidReason;
}

/** Nothing was found out: never remembered. */
export interface NotFoundOut {
  readonly status: "unavailable";
  readonly cause: UnavailableCause;
  readonly retryAfterMs: number;
}

export type Finding = Proven | Refused | NotFoundOut;

/** When there is nothing better to say. */
const RETRY_AFTER_MS = 1_000;

export function invalid(reason: InvalidReason): Refused {
  return { status: "invalid", reason };
}

export function unavailable(cause: UnavailableCause, retryAfterMs: number = RETRY_AFTER_MS): NotFoundOut {
  return { status: "unavailable", cause, retryAfterMs };
}

export function proven({ claims }: ParsedToken, key: VerificationKey): Proven {
  return {
    status: "valid",
    claims,
    subject: claims.sub ?? "",
    scopes: scopesOf(claims),
    sessionId: claims.sid,
    expiresAt: claims.exp === undefined ? Infinity : claims.exp * 1000,
    key,
    clearedAt: -1,
  };
}

const none: readonly string[] = Object.freeze([]);

/** `scope` (RFC 8693 §4.2), or `scp` as other providers name it: one string with spaces, or an array. */
function scopesOf({ scope, scp }: Readonly<JwtClaims>): readonly string[] {
  const granted = scope ?? scp;
  const names = typeof granted === "string" ? granted.split(" ") : Array.isArray(granted) ? granted : none;
  const scopes = names.filter((name): name is string => typeof name === "string" && name !== "");
  return scopes.length === 0 ? none : Object.freeze(scopes);
}
