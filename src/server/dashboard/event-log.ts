import type { AuditEvent, AuditKind, GuardEvent, IssuerEvent, StoreEvent } from "../../core/events.ts";
import type { Clock } from "../../core/clock.ts";
import type { AuditRow, TimelineEvent } from "../../dashboard/wire-state.ts";
import { watchEvents } from "../watch-events.ts";

/** The latest audit events in memory, and the latest other events. A flood of one kind leaves the others. */
const MAX_EVENTS = 500;
const MAX_AUDIT_EVENTS = 300;
/** The most events of one kind about one issuer in a second. Further ones are counted. */
const MAX_PER_SECOND = 5;
/** The same about all issuers, because a stranger may name any number of them. */
const MAX_OF_KIND_PER_SECOND = 20;
/** A client that goes on sending a wrong token must not push out the other events. Further refusals are counted. */
const REFUSAL_PAUSE_MS = 3_600_000;
/** How many refusals of issuers that no guard trusts are added within the pause. Strangers choose the names. */
const MAX_FOREIGN_REFUSALS = 5;
/** The longest text of an event. */
const MAX_CHARS = 500;

type Tone = TimelineEvent["tone"];
type NewEvent = Omit<TimelineEvent, "seq" | "at" | "omitted" | "audit"> & { readonly audit?: AuditRow };

const guardTones: Readonly<Partial<Record<GuardEvent["event"], Tone>>> = {
  keys_refreshed: "good",
  keys_stale: "alarm",
  authority_misconfigured: "alarm",
  breaker_closed: "good",
  shared_restored: "good",
  shared_rejected: "alarm",
  degraded_ended: "good",
  clock_stepped: "alarm",
  issuer_retired: "info",
  revocations_stale: "alarm",
  revocations_synced: "good",
};

const issuerTones: Readonly<Partial<Record<IssuerEvent["event"], Tone>>> = {
  secret_replaced: "info",
  store_restored: "good",
  secret_missing: "alarm",
  clock_differs: "alarm",
  store_rolled_back: "alarm",
};

const storeTones: Readonly<Record<StoreEvent["event"], Tone>> = {
  connection_failed: "alarm",
  connection_restored: "good",
  durability_lost: "alarm",
  durability_restored: "good",
  store_newer: "alarm",
  writes_restored: "warning",
};

const auditTones: Readonly<Partial<Record<AuditKind, Tone>>> = {
  login_refused: "warning",
  login_limited: "warning",
  client_refused: "warning",
  refresh_reuse: "alarm",
  refresh_shadowed: "alarm",
  refresh_forked: "alarm",
  store_rolled_back: "alarm",
  record_tampered: "alarm",
  keys_distrusted: "warning",
  breaker_forced: "warning",
};

/** Events that come all the time, and tell something only after one of the failures. */
const recoveries: Readonly<Record<string, readonly string[]>> = {
  keys_refreshed: ["keys_failed", "keys_rejected", "keys_stale"],
  revocations_synced: ["revocations_failed", "revocations_gap", "revocations_stale"],
};

/** The most failures whose end is told. A guard may find any number of issuers. */
const MAX_FAILING = 1_000;

function isRecoverable(kind: string): boolean {
  return Object.values(recoveries).some((failures) => failures.includes(kind));
}

/** The latest events of this process, with their times. */
export class EventLog {
  readonly #clock: Clock;
  readonly #onEvent: (event: TimelineEvent) => void;
  readonly #events: TimelineEvent[] = [];
  readonly #auditEvents: TimelineEvent[] = [];
  readonly #failing = new Set<string>();
  /** When a refusal was last added, for each issuer and reason. */
  readonly #refusedAt = new Map<string, number>();
  /** When a refusal of an issuer that no guard trusts was last added, for each message. */
  readonly #foreignAt = new Map<string, number>();
  #seq = 0;
  #second = 0;
  /** Events of this second by kind. */
  #counts = new Map<string, number>();
  /** Events by kind that no event in memory tells of yet. */
  readonly #omitted = new Map<string, number>();

  constructor(clock: Clock, onEvent: (event: TimelineEvent) => void) {
    this.#clock = clock;
    this.#onEvent = onEvent;
  }

  /** The number of the latest event. */
  get seq(): number {
    return this.#seq;
  }

  /** The events in memory after the one of this number, oldest first. */
  after(seq: number): TimelineEvent[] {
    const all = [...this.#events, ...this.#auditEvents].filter((event) => event.seq > seq);
    return all.toSorted((a, b) => a.seq - b.seq);
  }

  add(event: NewEvent): void {
    const kindKey = `${event.source} ${event.kind}`;
    const key = `${kindKey} ${event.issuer}`;
    const second = Math.floor(this.#clock.monotonic() / 1_000);
    if (second !== this.#second) this.#counts = new Map();
    this.#second = second;
    // A kind at its bound counts no issuers, so the counts are bounded, too.
    if ((this.#counts.get(kindKey) ?? 0) >= MAX_OF_KIND_PER_SECOND) return this.#omit(kindKey);
    if (this.#count(key) > MAX_PER_SECOND) return this.#omit(key);
    this.#count(kindKey);
    const omitted = this.#takeOmitted(kindKey) + this.#takeOmitted(key);
    const [seq, at, message] = [++this.#seq, this.#clock.now(), shorten(event.message)];
    const added: TimelineEvent = { audit: null, ...event, seq, at, omitted, message };
    const [ring, capacity] =
      event.source === "audit" ? [this.#auditEvents, MAX_AUDIT_EVENTS] : [this.#events, MAX_EVENTS];
    ring.push(added);
    if (ring.length > capacity) ring.shift();
    this.#onEvent(added);
  }

  /** Counts an event of this second. */
  #count(key: string): number {
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    return count;
  }

  #omit(key: string): void {
    if (this.#omitted.size >= MAX_FAILING) this.#omitted.clear();
    this.#omitted.set(key, (this.#omitted.get(key) ?? 0) + 1);
  }

  #takeOmitted(key: string): number {
    const omitted = this.#omitted.get(key) ?? 0;
    this.#omitted.delete(key);
    return omitted;
  }

  /** Adds the events of this process from now on. The returned function ends that. */
  subscribe(): () => void {
    return watchEvents({
      onGuard: (event) => this.#addGuardEvent(event),
      onIssuer: ({ event: kind, message }) =>
        this.add({ source: "issuer", kind, tone: issuerTones[kind] ?? "warning", issuer: null, message }),
      onStore: ({ event: kind, message }) =>
        this.add({ source: "store", kind, tone: storeTones[kind], issuer: null, message }),
      onAudit: (event) => this.#addAuditEvent(event),
    });
  }

  #addGuardEvent({ event: kind, issuer, message }: GuardEvent): void {
    const failures = recoveries[kind];
    if (failures !== undefined) {
      const ended = failures.filter((failure) => this.#failing.delete(`${failure} ${issuer}`));
      if (ended.length === 0) return;
    }
    // The message begins with the reason.
    const reason = message.split(":", 1)[0];
    const isFirst = () =>
      issuer === null ? this.#isFirstForeign(message) : this.#isFirstRefusal(`${issuer} ${reason}`);
    if (kind === "token_refused" && !isFirst()) {
      return this.#omit(`guard ${kind} ${issuer}`);
    }
    if (isRecoverable(kind) && this.#failing.size < MAX_FAILING) this.#failing.add(`${kind} ${issuer}`);
    this.add({ source: "guard", kind, tone: guardTones[kind] ?? "warning", issuer, message });
  }

  /** Whether no refusal with this key was added within the pause. */
  #isFirstRefusal(key: string): boolean {
    const now = this.#clock.monotonic();
    if (now - (this.#refusedAt.get(key) ?? -Infinity) < REFUSAL_PAUSE_MS) return false;
    if (this.#refusedAt.size >= MAX_FAILING) this.#refusedAt.clear();
    this.#refusedAt.set(key, now);
    return true;
  }

  #isFirstForeign(message: string): boolean {
    const now = this.#clock.monotonic();
    for (const [other, at] of this.#foreignAt)
      if (now - at >= REFUSAL_PAUSE_MS) this.#foreignAt.delete(other);
    if (this.#foreignAt.has(message) || this.#foreignAt.size >= MAX_FOREIGN_REFUSALS) return false;
    this.#foreignAt.set(message, now);
    return true;
  }

  #addAuditEvent(event: AuditEvent): void {
    const audit = toAuditRow(event);
    const message = [audit.subject, audit.detail].filter((text) => text !== null).join(": ");
    const { kind } = event;
    this.add({ source: "audit", kind, tone: auditTones[kind] ?? "info", issuer: null, message, audit });
  }
}

/** The members of an audit event, each with a bounded length. */
function toAuditRow({ at, kind, subject, session, source, actor, detail }: AuditEvent): AuditRow {
  const [who, where] = [shortenOrNull(subject), shortenOrNull(session)];
  const rest = { source: shortenOrNull(source), actor: shortenOrNull(actor), detail: shortenOrNull(detail) };
  return { at, kind, subject: who, session: where, ...rest };
}

function shortenOrNull(text: string | null): string | null {
  return text === null ? null : shorten(text);
}

/** A name in an event may be long, and the events in memory must not be. */
function shorten(text: string): string {
  return text.length <= MAX_CHARS ? text : `${text.slice(0, MAX_CHARS)}…`;
}
