import { channel, type Channel } from "node:diagnostics_channel";
import { debuglog } from "node:util";
import type {
  AuditEvent,
  ConnectionEvent,
  DecisionEvent,
  GuardEvent,
  IssuerEvent,
  StoreEvent,
} from "./events.ts";
import type {
  BreakerEvent,
  CommandEvent,
  KeysEvent,
  LoginEvent,
  QuestionEvent,
  RefreshEvent,
} from "./operation-events.ts";

export const guardEvents = channel("holdfast:guard") as Channel<GuardEvent>;
export const decisionEvents = channel("holdfast:decision") as Channel<DecisionEvent>;
export const questionEvents = channel("holdfast:question") as Channel<QuestionEvent>;
export const keysEvents = channel("holdfast:keys") as Channel<KeysEvent>;
export const breakerEvents = channel("holdfast:breaker") as Channel<BreakerEvent>;
export const connectionEvents = channel("holdfast:connection") as Channel<ConnectionEvent>;
export const issuerEvents = channel("holdfast:issuer") as Channel<IssuerEvent>;
export const loginEvents = channel("holdfast:login") as Channel<LoginEvent>;
export const refreshEvents = channel("holdfast:refresh") as Channel<RefreshEvent>;
export const storeEvents = channel("holdfast:store") as Channel<StoreEvent>;
export const commandEvents = channel("holdfast:command") as Channel<CommandEvent>;
export const auditEvents = channel("holdfast:audit") as Channel<AuditEvent>;

const debug = debuglog("holdfast");
// `NODE_DEBUG=holdfast` prints every event to stderr. Otherwise the library adds no subscriber, so that publishers skip
// even the construction of an event that the application does not subscribe to.
if (debug.enabled) {
  const channels = [
    guardEvents,
    decisionEvents,
    questionEvents,
    keysEvents,
    breakerEvents,
    connectionEvents,
    issuerEvents,
    loginEvents,
    refreshEvents,
    storeEvents,
    commandEvents,
    auditEvents,
  ];
  for (const events of channels) {
    events.subscribe((event, name) => debug("%s %j", name, event));
  }
}
