import type { TimelineEvent } from "../../src/dashboard/wire-state.ts";
import { AT, PROVIDER } from "./fixed-well-state.ts";

function event(seq: number, more: Partial<TimelineEvent>): TimelineEvent {
  return {
    seq,
    at: AT - 90_000 + seq * 10_000,
    source: "guard",
    kind: "breaker_opened",
    tone: "warning",
    issuer: null,
    message: `message ${seq}`,
    omitted: 0,
    audit: null,
    ...more,
  };
}

/** Events of every tone, oldest first. */
export const fixedEvents: readonly TimelineEvent[] = [
  event(1, {
    kind: "process_started",
    source: "process",
    tone: "info",
    message: "version 1.2.3 has started",
  }),
  event(2, { issuer: PROVIDER, message: "the breaker of the authority opened" }),
  event(3, { kind: "store_failed", source: "store", tone: "alarm", message: "the disk is full", omitted: 7 }),
  event(4, {
    kind: "breaker_closed",
    tone: "good",
    issuer: "not a URL",
    message: "the authority answers again",
  }),
];
