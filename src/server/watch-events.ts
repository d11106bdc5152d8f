import { auditEvents, guardEvents, issuerEvents, storeEvents } from "../core/event-channels.ts";
import type { AuditEvent, GuardEvent, IssuerEvent, StoreEvent } from "../core/events.ts";

/** What is called for each event that concerns an operator. */
export interface EventWatcher {
  readonly onGuard: (event: GuardEvent) => void;
  readonly onIssuer: (event: IssuerEvent) => void;
  readonly onStore: (event: StoreEvent) => void;
  readonly onAudit: (event: AuditEvent) => void;
}

/** Calls the watcher for the events of this process from now on. The returned function ends that. */
export function watchEvents({ onGuard, onIssuer, onStore, onAudit }: EventWatcher): () => void {
  const guard = (event: unknown) => onGuard(event as GuardEvent);
  const issuer = (event: unknown) => onIssuer(event as IssuerEvent);
  const store = (event: unknown) => onStore(event as StoreEvent);
  const audit = (event: unknown) => onAudit(event as AuditEvent);
  guardEvents.subscribe(guard);
  issuerEvents.subscribe(issuer);
  storeEvents.subscribe(store);
  auditEvents.subscribe(audit);
  return () => {
    guardEvents.unsubscribe(guard);
    issuerEvents.unsubscribe(issuer);
    storeEvents.unsubscribe(store);
    auditEvents.unsubscribe(audit);
  };
}
