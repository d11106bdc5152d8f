import { auditEvents, issuerEvents, storeEvents } from "../src/core/event-channels.ts";
import type { AuditEvent, IssuerEvent, StoreEvent } from "../src/core/events.ts";
import type { World } from "../src/testing/simulation/index.ts";

/** What a process announces about writes that its store has lost or may lose. */
export type Announcement =
  | "store_rolled_back"
  | "writes_restored"
  | "durability_lost"
  | "durability_restored";

const announcements: ReadonlySet<string> = new Set<Announcement>([
  "store_rolled_back",
  "writes_restored",
  "durability_lost",
  "durability_restored",
]);

/** Records the announcements and the audit events of lost writes of all processes. The returned function ends that. */
export function recordAnnouncements(world: Pick<World, "record">): () => void {
  const record = (message: unknown) => {
    const { event } = message as StoreEvent | IssuerEvent;
    if (announcements.has(event)) world.record("announced", { event });
  };
  const recordAudit = (message: unknown) => {
    const { kind } = message as AuditEvent;
    if (announcements.has(kind)) world.record("audited", { event: kind });
  };
  for (const channel of [issuerEvents, storeEvents]) channel.subscribe(record);
  auditEvents.subscribe(recordAudit);
  return () => {
    auditEvents.unsubscribe(recordAudit);
    for (const channel of [issuerEvents, storeEvents]) channel.unsubscribe(record);
  };
}
