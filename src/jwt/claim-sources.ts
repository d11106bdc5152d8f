import { claimAt, isClaimPath } from "../core/claim-path.ts";
import { invalidValue } from "../core/option-values.ts";
import { option, type OptionTable } from "../core/options.ts";
import type { JwtClaims } from "../core/verdict.ts";

/** The claims in which an issuer's tokens name their audience, subject and session: names or paths. */
export interface ClaimSourcesOptions {
  /** The claim that names the audience, for providers that put the client there. Default `"aud"`. */
  audienceFrom?: string | undefined;
  /** The claim that names the subject. Default `"sub"`. */
  subjectFrom?: string | undefined;
  /** The claim that names the session. Default `"sid"`. */
  sessionFrom?: string | undefined;
}

/** The values of {@link ClaimSourcesOptions}, checked and complete. */
export interface ClaimSources {
  readonly audienceFrom: string;
  readonly subjectFrom: string;
  readonly sessionFrom: string;
}

/** Reads an option that is the name or the path of a claim. Throws `invalid_option`. */
function readClaimPath(name: string, value: unknown): string {
  if (!isClaimPath(value))
    throw invalidValue(name, "the name of a claim, or a path of names with dots", value);
  return value;
}

export const claimSourcesOptionTable: OptionTable<ClaimSources> = {
  audienceFrom: option(readClaimPath, "aud"),
  subjectFrom: option(readClaimPath, "sub"),
  sessionFrom: option(readClaimPath, "sid"),
};

/** The audience that the token names. `undefined` when it names none. */
export function audienceOf(claims: Readonly<JwtClaims>, audienceFrom: string): unknown {
  return audienceFrom === "aud" ? claims.aud : claimAt(claims, audienceFrom);
}

/** Whether the token names one of the accepted audiences. A token that names no audience is for none. */
export function isForAudience(
  claims: Readonly<JwtClaims>,
  accepted: string | readonly string[],
  audienceFrom = "aud",
): boolean {
  const named = audienceOf(claims, audienceFrom);
  const isAccepted = (one: unknown) =>
    typeof accepted === "string" ? one === accepted : accepted.includes(one as string);
  return Array.isArray(named) ? named.some(isAccepted) : isAccepted(named);
}

/** The subject of the token. Empty when the token names none. */
export function subjectOf(claims: Readonly<JwtClaims>, { subjectFrom }: ClaimSources): string {
  return textAt(claims, subjectFrom) ?? "";
}

/** The session of the token. `undefined` when the token names none. */
export function sessionOf(claims: Readonly<JwtClaims>, { sessionFrom }: ClaimSources): string | undefined {
  return textAt(claims, sessionFrom);
}

/** The name of a subject or session claim that has another value than a string. `null` when there is no such claim. */
export function findMalformedSource(
  claims: Readonly<JwtClaims>,
  { subjectFrom, sessionFrom }: ClaimSources,
): string | null {
  // The types of the registered claims were checked when the token was parsed.
  if (subjectFrom === "sub" && sessionFrom === "sid") return null;
  const isMalformed = (path: string) => !["undefined", "string"].includes(typeof claimAt(claims, path));
  return [subjectFrom, sessionFrom].find(isMalformed) ?? null;
}

function textAt(claims: Readonly<JwtClaims>, path: string): string | undefined {
  const value = claimAt(claims, path);
  return typeof value === "string" ? value : undefined;
}
