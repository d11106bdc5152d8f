import assert from "node:assert/strict";
import { test } from "node:test";
import { toOlderView } from "../../sim/older/saved-views.ts";
import {
  rowsDigest,
  type RevocationRow,
  type SnapshotHead,
} from "../../src/guard/revocations/snapshot-format.ts";

test("a view that the version before saved has no numbers, and its pieces match their digests", () => {
  const rows: RevocationRow[] = [
    ["subject", "ann", 9, 5, 7],
    ["session", "s1", null],
  ];
  const piece = { slot: 0, digest: rowsDigest(rows), rows: rows.length };
  const issuer = "https://id.example.com";
  const times = { savedAt: 1, ageMs: 2, position: null };
  const head: SnapshotHead = { version: 1, id: "h", issuer, ...times, pieces: [piece], recent: rows };
  const disk = new Map<string, unknown>([
    ["view", head],
    ["view-0", rows],
  ]);
  const read = (name: string) => disk.get(name) ?? null;
  const plain = [
    ["subject", "ann", 9, 5],
    ["session", "s1", null],
  ];
  const older = toOlderView("view", read) as SnapshotHead;
  assert.deepEqual(older.recent, plain);
  assert.deepEqual(toOlderView("view-0", read), plain);
  assert.equal(older.pieces[0]?.digest, rowsDigest(plain));
  assert.equal(toOlderView("another", read), null);
});
