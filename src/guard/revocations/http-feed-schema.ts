import type { Clock } from "../../core/clock.ts";
import { isRecord } from "../../core/json.ts";
import { forEachInTurns } from "../../resilience/turns.ts";
import type { RevocationTail, SnapshotPage } from "../../stores/store.ts";

/* The responses of an issuer's `/auth/revocations`. Any other response is an error. */

/** `null` when the value has another form. An issuer of an older version knows no pages and answers a whole snapshot. */
export async function readSnapshotResponse(clock: Clock, value: unknown): Promise<SnapshotPage | null> {
  if (!isRecord(value)) return null;
  const { position, entries, next = null } = value;
  const isPage = isPosition(position) && (next === null || typeof next === "string");
  return isPage && (await isEntries(clock, entries)) ? ({ position, entries, next } as SnapshotPage) : null;
}

/** `null` when the value has another form. */
export async function readTailResponse(clock: Clock, value: unknown): Promise<RevocationTail | null> {
  if (!isRecord(value)) return null;
  const isTail =
    value["status"] === "gap" || (value["status"] === "ok" && (await isEntries(clock, value["entries"])));
  return isTail ? (value as unknown as RevocationTail) : null;
}

function isPosition(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { epoch, seq, chain } = value;
  return typeof epoch === "string" && isCount(seq) && typeof chain === "string";
}

/** A newer issuer may add kinds. They are accepted here, and the view treats itself as incomplete. */
async function isEntries(clock: Clock, value: unknown): Promise<boolean> {
  return Array.isArray(value) && (await forEachInTurns(clock, value as unknown[], isEntry));
}

function isEntry(entry: unknown): boolean {
  if (!isRecord(entry) || !isRecord(entry["revocation"])) return false;
  const { seq, chain, at, revocation } = entry;
  return isCount(seq) && typeof chain === "string" && isCount(at) && typeof revocation["kind"] === "string";
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
