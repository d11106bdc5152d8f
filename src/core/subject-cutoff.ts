import type { JwtClaims } from "./verdict.ts";

/**
 * The claim of an access token that holds the number of the last cut-off before its login or its issue. It makes
 * tokens of a new login distinguishable from earlier ones within the same second.
 */
export const CUTOFF_CLAIM = "hf_cutoff";

/** Which tokens of a subject are revoked. */
export interface SubjectCutoff {
  /** Revokes every token with `iat` ≤ `before`, epoch seconds, whatever its number. `-Infinity` for no token. */
  readonly before: number;
  /** Revokes tokens with a lower number, and tokens without a number as `before` does. `null` when no cut-off has a number. */
  readonly numbered: { readonly number: number; readonly before: number } | null;
}

/** Returns the union of both, or `known` itself when it covers the revocation already. */
export function mergeCutoff<C extends SubjectCutoff>(
  known: C | undefined,
  { before, number }: { readonly before: number; readonly number?: number },
): C | SubjectCutoff {
  if (number === undefined) {
    if (known !== undefined && before <= known.before) return known;
    return { before, numbered: known?.numbered ?? null };
  }
  const numbered = known?.numbered ?? null;
  if (known !== undefined && numbered !== null && number <= numbered.number && before <= numbered.before) {
    return known;
  }
  return {
    before: known?.before ?? -Infinity,
    numbered: {
      number: Math.max(number, numbered?.number ?? 0),
      before: Math.max(before, numbered?.before ?? -Infinity),
    },
  };
}

/** Returns the revocations of which the cut-off is the union. */
export function splitCutoff({ before, numbered }: SubjectCutoff): { before: number; number?: number }[] {
  const plain = before === -Infinity ? [] : [{ before }];
  return numbered === null ? plain : [...plain, { ...numbered }];
}

/** The numbers of a cut-off, for a table of numbers. */
export function toCutoffNumbers({ before, numbered }: SubjectCutoff): readonly [number, number, number] {
  return [before, numbered?.number ?? NaN, numbered?.before ?? NaN];
}

/** The cut-off with these numbers. */
export function fromCutoffNumbers([
  before = -Infinity,
  number = NaN,
  ofNumber = NaN,
]: readonly number[]): SubjectCutoff {
  return { before, numbered: Number.isNaN(number) ? null : { number, before: ofNumber } };
}

/** Whether the cut-off revokes the token. A token without `iat` cannot show that it was issued later. */
export function isCutOffToken({ before, numbered }: SubjectCutoff, claims: Readonly<JwtClaims>): boolean {
  const { iat = -Infinity } = claims;
  if (iat <= before) return true;
  if (numbered === null) return false;
  const number = claims[CUTOFF_CLAIM];
  // A comparison by number needs no clock, so it also holds where the clocks of two issuers differ.
  return isCutoffNumber(number) ? number < numbered.number : iat <= numbered.before;
}

/** Whether the value can be the number of a cut-off. */
export function isCutoffNumber(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
