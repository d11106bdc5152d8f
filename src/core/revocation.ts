import { hash } from "node:crypto";

/**
 * Revokes a token, a session, a key, or the tokens of a subject. It applies to the tokens of one `iss` only. It never
 * names the digest of a token, because one signature has several encodings.
 */
export type Revocation = {
  /** The `iss` of the affected tokens. */
  readonly issuer: string;
  /**
   * Epoch ms until which guards must keep the revocation: until every affected token has expired, plus the largest
   * tolerance and clock step. For a key the issuer takes 30 days, because the holder of the key chooses `exp`.
   */
  readonly until: number;
} & (
  | { readonly kind: "token"; readonly id: string }
  | { readonly kind: "session"; readonly id: string }
  | { readonly kind: "key"; readonly id: string }
  /**
   * Affects the tokens of subject `id` with `iat` ≤ `before`, in epoch seconds. If the revocation and
   * the token both have numbers, those are compared instead: a lower number is affected.
   */
  | { readonly kind: "subject"; readonly id: string; readonly before: number; readonly number?: number }
);

/** A position in the revocation log. The chain digest reveals a log that was replaced or lost its last writes. */
export interface LogPosition {
  readonly epoch: string;
  /** Counts entries from 1 without gaps. 0 is the position of the empty log. */
  readonly seq: number;
  /** The digest of this entry and of its predecessor's `chain`. Empty at position 0. */
  readonly chain: string;
}

/** An entry of the revocation log. */
export interface RevocationEntry {
  readonly seq: number;
  readonly chain: string;
  /** The store's clock, epoch ms. */
  readonly at: number;
  readonly revocation: Revocation;
}

/** The digest that ties an entry to its predecessor: SHA-256 in base64url. */
export function chainDigest(previous: string, seq: number, at: number, revocation: Revocation): string {
  return hash("sha256", `[${JSON.stringify(previous)},${seq},${at},${digestRest(revocation)}`, "base64url");
}

/**
 * The part of the digest's input that does not depend on the entry's place in the log. It leaves out the number of a
 * cut-off, so that guards of older versions, which do not know that member, compute the same digest.
 */
export function digestRest(r: Revocation): string {
  const before = r.kind === "subject" ? r.before : null;
  return JSON.stringify([r.issuer, r.kind, r.id, before, r.until]).slice(1);
}
