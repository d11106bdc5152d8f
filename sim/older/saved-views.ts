import {
  rowsDigest,
  type RevocationRow,
  type SnapshotHead,
} from "../../src/guard/revocations/snapshot-format.ts";

/** Reads the saved value of this name as it is on the disk. */
type Read = (name: string) => unknown;

/** Returns a saved view of revocations, or a piece of one, as the version before saved it: its cut-offs had no number. */
export function toOlderView(name: string, read: Read): unknown {
  const value = read(name);
  if (Array.isArray(value)) return (value as RevocationRow[]).map(withoutNumber);
  if (value === null) return null;
  const head = value as SnapshotHead;
  const pieces = head.pieces.map((piece) => {
    return { ...piece, digest: rowsDigest(toOlderView(`${name}-${piece.slot}`, read)) };
  });
  return { ...head, pieces, recent: head.recent.map(withoutNumber) };
}

function withoutNumber([kind, id, until, before]: RevocationRow): RevocationRow {
  return before === undefined ? [kind, id, until] : [kind, id, until, before];
}
