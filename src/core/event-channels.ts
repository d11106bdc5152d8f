import { channel, type Channel } from "node:diagnostics_channel";
import { debuglog } from "node:util";
import type { AuditEvent, ConnectionEvent, DecisionEvent, GuardEvent, IssuerEvent } from "./events.ts";

export const guardEvents = channel("holdfast:guard") as Channel<GuardEvent>;
export const decisionEvents = channel("holdfast:decision") as Channel<DecisionEvent>;
export const connectionEvents = channel("holdfast:connection") as Channel<ConnectionEvent>;
export const issuerEvents = channel("holdfast:issuer") as Channel<IssuerEvent>;
export const auditEvents = channel("holdfast:audit") as Channel<AuditEvent>;

/**
 * Prints every event to stderr when `NODE_DEBUG` contains `holdfast`. Otherwise no channel gets a subscriber, so that
 * publishers skip even the construction of the event.
 */
const debug = debuglog("holdfast");
if (debug.enabled) {
  for (const events of [guardEvents, decisionEvents, connectionEvents, issuerEvents, auditEvents]) {
    events.subscribe((event, name) => debug("%s %j", name, event));
  }
}
