import type { Clock } from "../core/clock.ts";
import type { Entropy } from "../core/entropy.ts";
import { auditEvents, issuerEvents } from "../core/event-channels.ts";
import type { AuditEvent, IssuerEvent } from "../core/events.ts";
import type { Store } from "../stores/store.ts";
import type { IssuerCounts } from "./metrics/issuer-counts.ts";
import { EventBudget } from "./event-budget.ts";
import type { AcceptancePeriod } from "./acceptance.ts";
import type { IssuerConfig } from "./config.ts";
import type { Secrets } from "./secret-keys.ts";
import type { TokensAfterStep } from "./sessions/tokens-after-step.ts";
import type { StoreTime } from "./store/store-time.ts";

/** Settings and dependencies that every part of an issuer shares. */
export interface IssuerBase extends EventRecorder {
  readonly config: IssuerConfig;
  readonly secrets: Secrets;
  readonly store: Omit<Store, "close">;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly counts: IssuerCounts;
  readonly acceptance: AcceptancePeriod;
  readonly storeTime: StoreTime;
  readonly tokensAfterStep: TokensAfterStep;
}

/** An outcome without `unavailable`: failures are thrown inside the issuer, and `createIssuer` turns them into outcomes. */
export type DefiniteOutcome<Outcome> = Exclude<Outcome, { status: "unavailable" }>;

/** Facts of an audit event. A fact that is left out is stored as `null`. */
type AuditFacts = {
  readonly [Name in "subject" | "session" | "source" | "actor" | "detail"]?: string | null | undefined;
};

export interface EventRecorder {
  /** Publishes an event for the operator. */
  readonly emit: (event: IssuerEvent["event"], message: string) => void;
  /**
   * Publishes an audit event and stores it. Events that a stranger can cause have a budget, and those past it are only
   * counted. Never rejects: a store that fails must not fail the request, too.
   */
  readonly audit: (kind: AuditEvent["kind"], facts: AuditFacts) => Promise<void>;
}

/** Events that a client can cause without valid credentials. */
const boundedEvents: ReadonlySet<string> = new Set<AuditEvent["kind"] | IssuerEvent["event"]>([
  "login_refused",
  "login_limited",
  "client_refused",
  "record_tampered",
  "authenticate_failed",
  "audit_failed",
  "unexpected_error",
  "token_too_large",
]);

/** `store` is read at the first audit event, because the store itself reports failures to the recorder. */
export function createEventRecorder(
  name: string,
  clock: Clock,
  counts: IssuerCounts,
  store: () => Pick<Store, "audit">,
): EventRecorder {
  const budget = new EventBudget(clock);
  const emit: EventRecorder["emit"] = (event, message) => {
    if (boundedEvents.has(event) && budget.take(event) === null) return;
    issuerEvents.publish({ issuer: name, event, message });
  };
  const audit: EventRecorder["audit"] = async (kind, facts) => {
    counts.auditEvents.add(kind);
    const leftOut = boundedEvents.has(kind) ? budget.take(kind) : 0;
    if (leftOut === null) return;
    const { subject = null, session = null, source = null, actor = null } = facts;
    const note = leftOut === 0 ? null : `${leftOut} events of this kind were left out before this one`;
    const detail = [facts.detail ?? null, note].filter((part) => part !== null).join("; ") || null;
    const event: AuditEvent = { at: clock.now(), kind, subject, session, source, actor, detail };
    auditEvents.publish(event);
    try {
      await store().audit.append(event);
    } catch {
      emit("audit_failed", `the audit event ${kind} could not be stored`);
    }
  };
  return { emit, audit };
}
