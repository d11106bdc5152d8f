import { channel, type Channel } from "node:diagnostics_channel";
import type {
  BreakerEvent,
  CommandEvent,
  KeysEvent,
  LoginEvent,
  QuestionEvent,
  RefreshEvent,
} from "./operation-events.ts";
import { printEvents } from "./print-events.ts";

export const questionEvents = channel("holdfast:question") as Channel<QuestionEvent>;
export const keysEvents = channel("holdfast:keys") as Channel<KeysEvent>;
export const breakerEvents = channel("holdfast:breaker") as Channel<BreakerEvent>;
export const loginEvents = channel("holdfast:login") as Channel<LoginEvent>;
export const refreshEvents = channel("holdfast:refresh") as Channel<RefreshEvent>;
export const commandEvents = channel("holdfast:command") as Channel<CommandEvent>;

printEvents([questionEvents, keysEvents, breakerEvents, loginEvents, refreshEvents, commandEvents]);
