import type { AuditKind } from "../../core/events.ts";
import type { Store } from "../../stores/store.ts";

/** Leaves word, for auditors, of what a command did to the store itself. */
export async function writeAuditNote(store: Store, kind: AuditKind, detail: string): Promise<void> {
  const at = await store.now();
  await store.audit.append({ at, kind, subject: null, session: null, source: null, detail });
}
