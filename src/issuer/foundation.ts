import type { Clock } from "../core/clock.ts";
import { auditEvents, issuerEvents, type AuditEvent, type IssuerEvent } from "../core/events.ts";
import type { Store } from "../stores/contracts.ts";
import type { Config } from "./config.ts";
import type { Secrets } from "./secrets.ts";

/** What every part of an issuer works with. */
export interface Foundation extends Recorder {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly store: Omit<Store, "close">;
  readonly clock: Clock;
}

/** A clock may be set back by so much: what was issued before lives longer then. */
const CLOCK_STEP_MS = 3_600_000;
/** The largest `clockToleranceMs` that a guard can have. */
export const MAX_TOLERANCE_MS = 300_000;

/** From now on, until when an access token signed by `now` can be accepted anywhere. */
export function acceptedForMs(config: Config): number {
  return config.accessTokenTtlMs + MAX_TOLERANCE_MS + CLOCK_STEP_MS;
}

/** Inside, what kept us from finding out is thrown, and becomes an outcome at the front door (law 1). */
export type Decided<Outcome> = Exclude<Outcome, { status: "unavailable" }>;

type About = { readonly [Name in "subject" | "session" | "source" | "detail"]?: string | null | undefined };

export interface Recorder {
  readonly report: (event: IssuerEvent["event"], message: string) => void;
  /** Published whatever happens; that it cannot be stored fails no request. */
  readonly audit: (kind: AuditEvent["kind"], about: About) => Promise<void>;
}

export function createRecorder(name: string, clock: Clock, store: () => Pick<Store, "audit">): Recorder {
  const report: Recorder["report"] = (event, message) =>
    issuerEvents.publish({ issuer: name, event, message });
  const audit: Recorder["audit"] = async (kind, about) => {
    const { subject = null, session = null, source = null, detail = null } = about;
    const event: AuditEvent = { at: clock.now(), kind, subject, session, source, detail };
    auditEvents.publish(event);
    try {
      await store().audit.append(event);
    } catch {
      report("audit_failed", `the audit event ${kind} could not be stored`);
    }
  };
  return { report, audit };
}
