import { channel, type Channel } from "node:diagnostics_channel";
import type {
  AuditEvent,
  ConnectionEvent,
  DecisionEvent,
  GuardEvent,
  IssuerEvent,
  StoreEvent,
} from "./events.ts";
import { printEvents } from "./print-events.ts";

export const guardEvents = channel("holdfast:guard") as Channel<GuardEvent>;
export const decisionEvents = channel("holdfast:decision") as Channel<DecisionEvent>;
export const connectionEvents = channel("holdfast:connection") as Channel<ConnectionEvent>;
export const issuerEvents = channel("holdfast:issuer") as Channel<IssuerEvent>;
export const storeEvents = channel("holdfast:store") as Channel<StoreEvent>;
export const auditEvents = channel("holdfast:audit") as Channel<AuditEvent>;

printEvents([guardEvents, decisionEvents, connectionEvents, issuerEvents, storeEvents, auditEvents]);
