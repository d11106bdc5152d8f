import { channel, type Channel } from "node:diagnostics_channel";
import { debuglog } from "node:util";
import type { AuditEvent, ConnectionEvent, DecisionEvent, GuardEvent, IssuerEvent } from "./events.ts";

export const guardEvents = channel("holdfast:guard") as Channel<GuardEvent>;
export const decisionEvents = channel("holdfast:decision") as Channel<DecisionEvent>;
export const connectionEvents = channel("holdfast:connection") as Channel<ConnectionEvent>;
export const issuerEvents = channel("holdfast:issuer") as Channel<IssuerEvent>;
export const auditEvents = channel("holdfast:audit") as Channel<AuditEvent>;

const debug = debuglog("holdfast");
// `NODE_DEBUG=holdfast` prints every event to stderr. Otherwise the library adds no subscriber, so that publishers skip
// even the construction of an event that the application does not subscribe to.
if (debug.enabled) {
  for (const events of [guardEvents, decisionEvents, connectionEvents, issuerEvents, auditEvents]) {
    events.subscribe((event, name) => debug("%s %j", name, event));
  }
}
