import { checkClaimRules, readClaimRules, type ClaimRules } from "./claim-rules.ts";
import { readWholeNumber, rejectUnknownOptions } from "./options.ts";
import { invalidValue, readChoice } from "./option-values.ts";

/** The tokens that the guard may accept while the authority gives no answer, from strict to lax. */
export type DegradedMode =
  /** Nothing: the answer is 503. */
  | "deny"
  /** A token that the authority confirmed before, up to its `exp`. */
  | "cached"
  /** The same, and a token whose signature and claims the guard verified. */
  | "local";

/** The modes from strict to lax. */
export const degradedModes: readonly DegradedMode[] = ["deny", "cached", "local"];

/** A route's rules. They narrow the guard's policy and never widen it. */
export interface Rules {
  /** The token must grant all of these scopes, else the decision is `forbidden`. */
  scopes?: readonly string[];
  /** The token must grant at least one of these scopes, else the decision is `forbidden`. */
  anyScope?: readonly string[];
  /**
   * The token must be for one of these audiences: one name, or a list. It narrows the guard's `audience`, for a route of
   * an API that shares its guard with others.
   */
  audience?: string | readonly string[];
  /** The values that claims of the token must have, as in the guard's `claims`. Another value is `wrong_claim`. */
  claims?: ClaimRules;
  /** The greatest age of the revocation view, in milliseconds. */
  maxRevocationAgeMs?: number;
  /**
   * The greatest age of the user's login, in milliseconds, at least 1,000. A token with an older `auth_time`, or without
   * one, is refused, and the client is told that the user has to log in again (RFC 9470).
   */
  maxAuthAgeMs?: number;
  /** The laxest mode that this route accepts. A laxer mode than the guard's changes nothing. */
  degraded?: DegradedMode;
}

/** The options of one call. */
export interface CallOptions {
  signal?: AbortSignal | undefined;
}

/** The least `maxAuthAgeMs`: `auth_time` and the challenge of RFC 9470 have whole seconds. */
export const MIN_AUTH_AGE_MS = 1_000;

/** The names of the rules. */
export const ruleNames: readonly string[] = [
  "scopes",
  "anyScope",
  "audience",
  "claims",
  "maxRevocationAgeMs",
  "maxAuthAgeMs",
  "degraded",
];
const callNames: readonly string[] = [...ruleNames, "signal"];

/** Checks the rules of one `authorize` call. A misspelt rule would otherwise protect nothing. Throws `invalid_option`. */
export function checkCall(rules: Rules & CallOptions): void {
  rejectUnknownOptions("authorize", rules, callNames);
  checkValues("authorize", rules);
}

/**
 * Checks the rules of a route when the route is created. A wrong rule that only `authorize` refused would look like an
 * outage at each request. Throws `invalid_option`.
 */
export function checkRules(owner: string, rules: Rules): void {
  rejectUnknownOptions(`${owner}: rules`, rules, ruleNames);
  checkValues(owner, rules);
}

/** Checks the rules of a route, and copies them so that later changes by the caller have no effect. */
export function copyRules(owner: string, rules: Rules): Rules {
  checkRules(owner, rules);
  const { scopes, anyScope, audience, claims } = rules;
  return {
    ...rules,
    ...(scopes !== undefined && { scopes: [...scopes] }),
    ...(anyScope !== undefined && { anyScope: [...anyScope] }),
    ...(typeof audience === "object" && { audience: [...audience] }),
    ...(claims !== undefined && { claims: readClaimRules(`${owner}: claims`, claims) }),
  };
}

/** The scopes that a client can request to fulfil the rules. One of `anyScope` would do, but not every user has each. */
export function scopesToRequest({ scopes, anyScope }: Rules): readonly string[] | undefined {
  if (anyScope === undefined) return scopes;
  return [...new Set([...(scopes ?? []), ...anyScope])];
}

/** The scopes of the rules that `granted` lacks. Without a scope of `anyScope`, each of them is missing. */
export function missingScopes({ scopes = [], anyScope }: Rules, granted: readonly string[]): string[] {
  const missing = scopes.filter((scope) => !granted.includes(scope));
  if (anyScope === undefined || anyScope.some((scope) => granted.includes(scope))) return missing;
  return [...new Set([...missing, ...anyScope])];
}

function checkValues(owner: string, rules: Rules): void {
  const { scopes, anyScope, audience, claims, maxRevocationAgeMs, maxAuthAgeMs, degraded } = rules;
  if (scopes !== undefined && !(Array.isArray(scopes) && scopes.every(isString))) {
    throw invalidValue(`${owner}: scopes`, "an array of strings", scopes);
  }
  if (
    anyScope !== undefined &&
    !(Array.isArray(anyScope) && anyScope.length > 0 && anyScope.every(isString))
  ) {
    throw invalidValue(`${owner}: anyScope`, "an array of at least one string", anyScope);
  }
  if (claims !== undefined) checkClaimRules(`${owner}: claims`, claims);
  if (audience !== undefined && !isAudience(audience)) {
    throw invalidValue(`${owner}: audience`, "a non-empty string or an array of such strings", audience);
  }
  if (
    maxRevocationAgeMs !== undefined &&
    !(typeof maxRevocationAgeMs === "number" && maxRevocationAgeMs >= 0)
  ) {
    throw invalidValue(`${owner}: maxRevocationAgeMs`, "a number of at least 0", maxRevocationAgeMs);
  }
  // `readWholeNumber` would take a missing bound for its default, and there is none.
  if (maxAuthAgeMs !== undefined) {
    readWholeNumber(`${owner}: maxAuthAgeMs`, maxAuthAgeMs, { default: 0, min: MIN_AUTH_AGE_MS });
  }
  if (degraded !== undefined) readChoice(`${owner}: degraded`, degradedModes, degraded);
}

function isAudience(value: unknown): boolean {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.length > 0 && list.every((item) => isString(item) && item !== "");
}

function isString(value: unknown): value is string {
  return typeof value === "string";
}
