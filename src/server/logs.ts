import { destination, pino, stdTimeFunctions, type DestinationStream, type Logger } from "pino";
import { auditEvents, guardEvents, issuerEvents, type AuditEvent } from "../core/events.ts";

/**
 * Logs to standard error: one line of JSON each, or a line for people when that is a terminal. Written at once:
 * the last line before a crash is the one that matters.
 */
export function createLogger(terminal: boolean = process.stderr.isTTY): Logger {
  const options = {
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (level: string) => ({ level }) },
  };
  const output = destination({ dest: 2, sync: true });
  return pino(options, terminal ? humanReadable(output) : output);
}

/** `07:11:11 warn keys_failed guard="service": the key set could not be fetched` */
export function humanReadable(output: DestinationStream): DestinationStream {
  return {
    write(line) {
      const { level, time, msg = "", audit, event, ...more } = JSON.parse(line) as Record<string, string>;
      const values = Object.entries(more).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
      const words = [time?.slice(11, 19), level, audit ?? event, ...values].filter(
        (word) => word !== undefined,
      );
      // Nothing in a message may steer the terminal.
      output.write(`${words.join(" ")}${msg && ": "}${msg.replace(/\p{C}/gu, " ")}\n`);
    },
  };
}

const routine = new Set(["keys_refreshed", "revocations_synced"]);

/** Logs what guard and issuer say about themselves, and what an auditor asks about. Returns what ends it. */
export function logEvents(log: Logger): () => void {
  const onPart = (published: unknown) => {
    const { message, ...event } = published as { event: string; message: string };
    log[routine.has(event.event) ? "debug" : "warn"](event, message);
  };
  const onAudit = (published: unknown) => {
    const { at: _, kind, ...event } = published as AuditEvent;
    const known = Object.entries(event).filter(([, value]) => value !== null);
    log.info({ audit: kind, ...Object.fromEntries(known) });
  };
  guardEvents.subscribe(onPart);
  issuerEvents.subscribe(onPart);
  auditEvents.subscribe(onAudit);
  return () => {
    guardEvents.unsubscribe(onPart);
    issuerEvents.unsubscribe(onPart);
    auditEvents.unsubscribe(onAudit);
  };
}
