import { invalidOption } from "../core/options.ts";
import type { LogPosition } from "../core/revocation.ts";

/** Where the next page of a snapshot begins, so that the store keeps nothing between two pages. */
export interface SnapshotCursor {
  /** The position of the whole snapshot. */
  readonly position: LogPosition;
  /** Entries whose `until` is not later are left out, epoch ms. */
  readonly nowMs: number;
  /** The place of the next page: the number of an entry in SQLite, the text of the entry before it in Redis. */
  readonly from: number | string;
}

/** The cursor as text. */
export function formatSnapshotCursor({ position, nowMs, from }: SnapshotCursor): string {
  const { epoch, seq, chain } = position;
  return JSON.stringify([epoch, seq, chain, nowMs, from]);
}

/** Reads the text of a cursor. `kind` is the type of `from`. Throws `invalid_option`, also for another log. */
export function parseSnapshotCursor<K extends "number" | "string">(
  text: string,
  ownEpoch: string,
  kind: K,
): SnapshotCursor & { readonly from: K extends "number" ? number : string } {
  const [epoch, seq, chain, nowMs, from] = parseList(text);
  const isCursor = epoch === ownEpoch && isCount(seq) && typeof chain === "string" && isCount(nowMs);
  const hasPlace = typeof from === kind && (typeof from === "string" || isCount(from));
  if (!isCursor || !hasPlace) throw invalidOption("cursor", "the `next` of a page of this log", text);
  return { position: { epoch, seq, chain }, nowMs, from } as never;
}

function parseList(text: unknown): unknown[] {
  try {
    const value: unknown = JSON.parse(String(text));
    return Array.isArray(value) ? (value as unknown[]) : [];
  } catch {
    return [];
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
