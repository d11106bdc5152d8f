import { hash } from "node:crypto";
import { HoldfastError } from "../../core/errors.ts";
import type { LogPosition, Revocation } from "../../core/revocation.ts";

/** Most rows in one piece: about 150 KB, which take a millisecond or two to serialize. */
export const MAX_PIECE_ROWS = 2_000;

/** A stored revocation without its issuer. An `until` of `null` never expires. Only a subject has `before` and `number`. */
export type RevocationRow = readonly [
  kind: Revocation["kind"],
  id: string,
  until: number | null,
  before?: number,
  number?: number,
];

/** Names rows that are stored in a separate snapshot. */
export interface SnapshotPiece {
  readonly slot: number;
  readonly digest: string;
  readonly rows: number;
}

/** The stored head. Its member names are part of the file format. */
export interface SnapshotHead {
  readonly version: 1;
  /** Identifies one save. */
  readonly id: string;
  readonly issuer: string;
  /** Wall clock, epoch ms. */
  readonly savedAt: number;
  /** Age of the complete view at that time, milliseconds. `null` when it never was complete. */
  readonly ageMs: number | null;
  readonly position: LogPosition | null;
  readonly pieces: readonly SnapshotPiece[];
  readonly recent: readonly RevocationRow[];
}

export function toRow(revocation: Revocation): RevocationRow {
  const { kind, id } = revocation;
  const until = revocation.until === Infinity ? null : revocation.until;
  if (revocation.kind !== "subject") return [kind, id, until];
  const { before, number } = revocation;
  return number === undefined ? [kind, id, until, before] : [kind, id, until, before, number];
}

/** A malformed row becomes a malformed revocation, which the view rejects. */
export function fromRow(row: RevocationRow, issuer: string): Revocation {
  const [kind, id, until, before, number] = Array.isArray(row) ? (row as RevocationRow) : [];
  return { kind, id, issuer, until: until ?? Infinity, before, number } as Revocation;
}

export function rowsDigest(rows: unknown): string {
  return hash("sha256", JSON.stringify(rows), "base64url");
}

/** Checks a stored head. `null` when none was saved. Throws `store_newer` or `store_corrupt`. */
export function parseHead(value: unknown, issuer: string): SnapshotHead | null {
  if (value === null) return null;
  const head = Object(value) as SnapshotHead;
  const version: unknown = head.version;
  if (typeof version === "number" && version > 1) {
    throw new HoldfastError("store_newer", "it was saved by a newer version");
  }
  if (!isHead(head)) throw new HoldfastError("store_corrupt", "it is damaged");
  if (head.issuer !== issuer) throw new HoldfastError("store_corrupt", "it is another issuer's");
  return head;
}

function isHead({ version, id, savedAt, ageMs, position, pieces, recent }: SnapshotHead): boolean {
  return (
    (version as unknown) === 1 &&
    typeof id === "string" &&
    Number.isFinite(savedAt) &&
    (ageMs === null || (Number.isFinite(ageMs) && ageMs >= 0)) &&
    typeof position === "object" &&
    Array.isArray(pieces) &&
    pieces.every((piece: unknown) => Number.isSafeInteger((Object(piece) as SnapshotPiece).slot)) &&
    Array.isArray(recent)
  );
}
