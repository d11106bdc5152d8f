import { hash } from "node:crypto";

/**
 * Something that ended before its time. Every entry is scoped by the issuer whose tokens it concerns.
 * Never by raw-token digest: one signature has several spellings.
 */
export type Revocation = {
  /** `iss` of the tokens concerned. */
  readonly issuer: string;
  /** Epoch ms after which nothing it concerns can be valid any more: last affected `exp` + maximum tolerance. */
  readonly until: number;
} & (
  | { readonly kind: "token"; readonly id: string }
  | { readonly kind: "session"; readonly id: string }
  | { readonly kind: "key"; readonly id: string }
  /** All tokens of subject `id` with `iat` ≤ `before` (epoch seconds). */
  | { readonly kind: "subject"; readonly id: string; readonly before: number }
);

/** A place in the log. The chain digest shows a log that was replaced or lost its last writes. */
export interface LogPosition {
  readonly epoch: string;
  /** Contiguous, from 1; 0 is the empty log. */
  readonly seq: number;
  /** Digest over this entry and its predecessor's `chain`; `""` at 0. */
  readonly chain: string;
}

/** An entry in the log. */
export interface RevocationEntry {
  readonly seq: number;
  readonly chain: string;
  /** Store's clock, epoch ms. */
  readonly at: number;
  readonly revocation: Revocation;
}

/** The digest that ties an entry to its predecessor: base64url SHA-256. */
export function chainDigest(previous: string, seq: number, at: number, r: Revocation): string {
  const before = r.kind === "subject" ? r.before : null;
  return hash(
    "sha256",
    JSON.stringify([previous, seq, at, r.issuer, r.kind, r.id, before, r.until]),
    "base64url",
  );
}
