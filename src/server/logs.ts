import { destination, pino, stdTimeFunctions, type DestinationStream, type Logger } from "pino";
import { auditEvents, guardEvents, issuerEvents, storeEvents } from "../core/event-channels.ts";
import type { AuditEvent } from "../core/events.ts";
import type { LogLevel } from "./setting-definitions.ts";

/**
 * Creates the logger of the service. It writes JSON lines to standard error, or readable lines on a terminal.
 * Writing is synchronous, because the last line before a crash matters most.
 */
export function createLogger(level: LogLevel, isTerminal: boolean = process.stderr.isTTY): Logger {
  const options = {
    base: null,
    level,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const output = destination({ dest: 2, sync: true });
  return pino(options, isTerminal ? humanReadable(output) : output);
}

/** Formats each JSON line as `07:11:11 warn keys_failed guard="service": the key set could not be fetched`. */
export function humanReadable(output: DestinationStream): DestinationStream {
  return {
    write(line) {
      const { level, time, msg = "", audit, event, ...rest } = JSON.parse(line) as Record<string, string>;
      const fields = Object.entries(rest).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
      const words = [time?.slice(11, 19), level, audit ?? event, ...fields].filter(
        (word) => word !== undefined,
      );
      // A control character in a message could steer the terminal.
      output.write(`${words.join(" ")}${msg && ": "}${msg.replace(/\p{C}/gu, " ")}\n`);
    },
  };
}

/** The levels of the events that report no problem. Every other event is a warning. */
const levels: Readonly<Record<string, "debug" | "info">> = {
  keys_refreshed: "debug",
  revocations_synced: "debug",
  breaker_closed: "info",
  degraded_ended: "info",
  connection_restored: "info",
  durability_restored: "info",
};

/** Logs the events of guards and issuers, and audit events. The returned function stops that. */
export function logEvents(log: Logger): () => void {
  const logEvent = (published: unknown) => {
    const { message, ...event } = published as { event: string; message: string };
    log[levels[event.event] ?? "warn"](event, message);
  };
  const logAudit = (published: unknown) => {
    const { at: _, kind, ...event } = published as AuditEvent;
    const known = Object.entries(event).filter(([, value]) => value !== null);
    log.info({ audit: kind, ...Object.fromEntries(known) });
  };
  guardEvents.subscribe(logEvent);
  issuerEvents.subscribe(logEvent);
  storeEvents.subscribe(logEvent);
  auditEvents.subscribe(logAudit);
  return () => {
    guardEvents.unsubscribe(logEvent);
    issuerEvents.unsubscribe(logEvent);
    storeEvents.unsubscribe(logEvent);
    auditEvents.unsubscribe(logAudit);
  };
}
