import { systemClock, type Clock } from "../core/clock.ts";
import { auditEvents } from "../core/event-channels.ts";
import type { AuditEvent, AuditKind } from "../core/events.ts";
import type { Store } from "../stores/store.ts";

/** Publishes and stores the audit event of an operator's action. Rejects when the store does not keep the event. */
export async function writeAuditNote(
  store: Pick<Store, "audit" | "now">,
  kind: AuditKind,
  detail: string,
  actor: { readonly subject?: string; readonly session?: string | undefined } = {},
  clock: Clock = systemClock,
): Promise<void> {
  const at = await store.now().catch(() => clock.now());
  const { subject = null, session = null } = actor;
  const event: AuditEvent = { at, kind, subject, session, source: null, actor: subject, detail };
  auditEvents.publish(event);
  await store.audit.append(event);
}
