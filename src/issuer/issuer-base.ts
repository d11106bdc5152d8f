import type { Clock } from "../core/clock.ts";
import { auditEvents, issuerEvents, type AuditEvent, type IssuerEvent } from "../core/events.ts";
import type { Store } from "../stores/store.ts";
import type { IssuerConfig } from "./config.ts";
import type { Secrets } from "./secret-keys.ts";

/** What every part of an issuer works with. */
export interface IssuerBase extends EventRecorder {
  readonly config: IssuerConfig;
  readonly secrets: Secrets;
  readonly store: Omit<Store, "close">;
  readonly clock: Clock;
}

/** A clock may be set back by so much: what was issued before lives longer then. */
const MAX_CLOCK_STEP_MS = 3_600_000;
/** The largest `clockToleranceMs` that a guard can have. */
export const MAX_CLOCK_TOLERANCE_MS = 300_000;

/** From now on, until when an access token signed by `now` can be accepted anywhere. */
export function maxAcceptanceMs(config: IssuerConfig): number {
  return config.accessTokenTtlMs + MAX_CLOCK_TOLERANCE_MS + MAX_CLOCK_STEP_MS;
}

/** Inside, what kept us from finding out is thrown, and becomes an outcome at the front door (law 1). */
export type DefiniteOutcome<Outcome> = Exclude<Outcome, { status: "unavailable" }>;

type AuditFacts = {
  readonly [Name in "subject" | "session" | "source" | "detail"]?: string | null | undefined;
};

export interface EventRecorder {
  readonly emit: (event: IssuerEvent["event"], message: string) => void;
  /** Published whatever happens; that it cannot be stored fails no request. */
  readonly audit: (kind: AuditEvent["kind"], about: AuditFacts) => Promise<void>;
}

export function createEventRecorder(
  name: string,
  clock: Clock,
  store: () => Pick<Store, "audit">,
): EventRecorder {
  const report: EventRecorder["emit"] = (event, message) =>
    issuerEvents.publish({ issuer: name, event, message });
  const audit: EventRecorder["audit"] = async (kind, about) => {
    const { subject = null, session = null, source = null, detail = null } = about;
    const event: AuditEvent = { at: clock.now(), kind, subject, session, source, detail };
    auditEvents.publish(event);
    try {
      await store().audit.append(event);
    } catch {
      report("audit_failed", `the audit event ${kind} could not be stored`);
    }
  };
  return { emit: report, audit };
}
