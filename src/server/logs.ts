import { destination, pino, type DestinationStream, type Logger, type LoggerOptions } from "pino";
import { systemClock, type Clock } from "../core/clock.ts";
import type { GuardEvent } from "../core/events.ts";
import { knownFields, severityNumbers, type LogFields } from "./log-fields.ts";
import type { SessionDigest } from "./session-digest.ts";
import type { LogLevel } from "./setting-definitions.ts";
import { watchEvents, type EventWatcher } from "./watch-events.ts";

/**
 * Creates the logger of the service. It writes JSON lines to standard error, or readable lines on a terminal.
 * Writing is synchronous, because the last line before a crash matters most.
 */
export function createLogger(level: LogLevel, isTerminal: boolean = process.stderr.isTTY): Logger {
  const output = destination({ dest: 2, sync: true });
  return openLogger(level, isTerminal ? humanReadable(output) : output);
}

/** A logger that writes lines with the fields of {@link LogFields}. */
export function openLogger(level: LogLevel, output: DestinationStream): Logger {
  const options: LoggerOptions = {
    base: null,
    level,
    messageKey: "body",
    timestamp: () => `,"timestamp":"${new Date().toISOString()}"`,
    formatters: {
      level: (label) => ({ severity_text: label.toUpperCase(), severity_number: severityNumbers[label] }),
    },
  };
  return pino(options, output);
}

const PREFIX = /^holdfast\./;

/** Formats each JSON line as `07:11:11 WARN guard.keys_failed guard="service": the key set could not be fetched`. */
export function humanReadable(output: DestinationStream): DestinationStream {
  return {
    write(line) {
      const fields = JSON.parse(line) as LogFields;
      const { timestamp, severity_text: severity, severity_number: _, body = "", ...rest } = fields;
      const { "event.name": event, ...attributes } = rest;
      const words = [timestamp?.slice(11, 19), severity, event?.replace(PREFIX, "")];
      const pairs = Object.entries(attributes).map(
        ([name, value]) => `${name.replace(PREFIX, "")}=${quote(value)}`,
      );
      const start = [...words, ...pairs].filter((word) => word !== undefined).join(" ");
      // A control character in a message could steer the terminal.
      output.write(`${start}${body && ": "}${body.replace(/\p{C}/gu, " ")}\n`);
    },
  };
}

/** JSON escapes only the control characters of ASCII, and a terminal obeys those of Unicode, too. */
function quote(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\p{C}\p{Zl}\p{Zp}]/gu,
    (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`,
  );
}

/** The levels of the events that report no problem. Every other event is a warning. */
const levels: Readonly<Record<string, "debug" | "info">> = {
  keys_refreshed: "debug",
  revocations_synced: "debug",
  breaker_closed: "info",
  degraded_ended: "info",
  connection_restored: "info",
  durability_restored: "info",
  shared_restored: "info",
  store_restored: "info",
};

/** The kinds of audit events of which a person should hear at once. */
const warnedKinds: ReadonlySet<string> = new Set(["record_tampered"]);

/** A feed that fails is tried again every few seconds. Each minute of an outage has one line. */
const REPEAT_MS = 60_000;

type FeedEvent = Pick<GuardEvent, "guard" | "issuer" | "event">;

/** Decides which failures of a feed are logged: the first one, and one in each minute until the feed is read again. */
class FailureThrottle {
  readonly #monotonic: () => number;
  /** When a failure was last logged, for each guard and issuer whose feed fails. */
  readonly #loggedAt = new Map<string, number>();

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
  }

  isDue({ guard, issuer, event }: FeedEvent): boolean {
    if (event !== "revocations_failed") return true;
    const key = JSON.stringify([guard, issuer]);
    const now = this.#monotonic();
    if (now - (this.#loggedAt.get(key) ?? -Infinity) < REPEAT_MS) return false;
    this.#loggedAt.set(key, now);
    return true;
  }

  /** Whether the event ends an outage of a feed whose failure was logged. */
  ends({ guard, issuer, event }: FeedEvent): boolean {
    return event === "revocations_synced" && this.#loggedAt.delete(JSON.stringify([guard, issuer]));
  }
}

/**
 * Logs the events of guards, issuers and stores, and audit events. The returned function stops that. `digest` names a
 * session. It is asked at each event, and returns `null` while the secret is unknown. A feed of revocations that fails
 * again and again has one line a minute.
 */
export function logEvents(
  log: Logger,
  digest: () => SessionDigest | null,
  clock: Pick<Clock, "monotonic"> = systemClock,
): () => void {
  const throttle = new FailureThrottle(() => clock.monotonic());
  const write = (
    fields: LogFields,
    event: string,
    message: string,
    level: LogLevel = levels[event] ?? "warn",
  ) => log[level](fields, message);
  const onGuard: EventWatcher["onGuard"] = ({ guard, issuer, event, message }) => {
    if (!throttle.isDue({ guard, issuer, event })) return;
    const known = { "holdfast.guard": guard, "holdfast.issuer": issuer };
    const fields = knownFields({ "event.name": `holdfast.guard.${event}`, ...known });
    if (throttle.ends({ guard, issuer, event })) write(fields, event, message, "info");
    else write(fields, event, message);
  };
  const onIssuer: EventWatcher["onIssuer"] = ({ issuer, event, message }) => {
    write({ "event.name": `holdfast.issuer.${event}`, "holdfast.issuer": issuer }, event, message);
  };
  const onStore: EventWatcher["onStore"] = ({ store, event, message }) => {
    write({ "event.name": `holdfast.store.${event}`, "holdfast.store": store }, event, message);
  };
  const onAudit: EventWatcher["onAudit"] = ({ kind, subject, session, source, actor, detail }) => {
    const fields = {
      "event.name": `holdfast.audit.${kind}`,
      "user.id": subject,
      "holdfast.session": session === null ? null : (digest()?.(session) ?? null),
      "client.address": source,
      "holdfast.actor": actor,
      "holdfast.detail": detail,
    };
    log[warnedKinds.has(kind) ? "warn" : "info"](knownFields(fields));
  };
  return watchEvents({ onGuard, onIssuer, onStore, onAudit });
}
