import type { RevocationLog, SnapshotPage } from "../../stores/store.ts";

/** Reads a page of the log's snapshot. A store without pages has one. */
export async function readSnapshotPage(
  log: Pick<RevocationLog, "snapshot" | "snapshotPage">,
  cursor: string | null,
): Promise<SnapshotPage> {
  if (log.snapshotPage !== undefined) return await log.snapshotPage(cursor);
  return { ...(await log.snapshot()), next: null };
}
