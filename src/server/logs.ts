import { destination, pino, stdTimeFunctions, type Logger } from "pino";
import { auditEvents, guardEvents, issuerEvents } from "../core/events.ts";

/** JSON lines on standard error. Written at once: the last line before a crash is the one that matters. */
export function createLogger(): Logger {
  const options = {
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (level: string) => ({ level }) },
  };
  return pino(options, destination({ dest: 2, sync: true }));
}

const routine = new Set(["keys_refreshed", "revocations_synced"]);

/** Logs what guard and issuer say about themselves, and what an auditor asks about. Returns what ends it. */
export function logEvents(log: Logger): () => void {
  const onPart = (message: unknown) => {
    const event = message as { event: string; message: string };
    log[routine.has(event.event) ? "debug" : "warn"](event, event.message);
  };
  const onAudit = (message: unknown) => log.info({ audit: message }, (message as { kind: string }).kind);
  guardEvents.subscribe(onPart);
  issuerEvents.subscribe(onPart);
  auditEvents.subscribe(onAudit);
  return () => {
    guardEvents.unsubscribe(onPart);
    issuerEvents.unsubscribe(onPart);
    auditEvents.unsubscribe(onAudit);
  };
}
