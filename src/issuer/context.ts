import type { Clock } from "../core/clock.ts";
import { isHoldfastError } from "../core/errors.ts";
import {
  auditEvents,
  issuerEvents,
  type AuditEvent,
  type AuditKind,
  type IssuerEvent,
} from "../core/events.ts";
import type { Store } from "../stores/contracts.ts";
import type { Config } from "./config.ts";
import type { LoginLimits } from "./limits.ts";
import type { Passwords } from "./passwords.ts";
import type { Secrets } from "./secrets.ts";
import type { SigningKeys } from "./signing-keys.ts";

/** The parts of one issuer, made once by `createIssuer` and handed down. */
export interface Context {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly store: Omit<Store, "close">;
  readonly clock: Clock;
  readonly keys: SigningKeys;
  readonly passwords: Passwords;
  readonly limits: LoginLimits;
  readonly record: Recorder;
}

/** A clock may be set back by so much: what was issued before lives longer then. */
const CLOCK_STEP_MS = 3_600_000;
/** The largest `clockToleranceMs` that a guard can have. */
const MAX_TOLERANCE_MS = 300_000;

/** From now on, until when an access token signed by `now` can be accepted anywhere. */
export function acceptedForMs(config: Config): number {
  return config.accessTokenTtlMs + MAX_TOLERANCE_MS + CLOCK_STEP_MS;
}

type Report = (event: IssuerEvent["event"], message: string) => void;
type Audit = (kind: AuditKind, about: Partial<Omit<AuditEvent, "at" | "kind">>) => Promise<void>;

interface Recorder {
  readonly report: Report;
  readonly audit: Audit;
}

/** An audit event is published whatever happens; that it cannot be stored fails no request. */
export function createRecorder(name: string, clock: Clock, store: () => Pick<Store, "audit">): Recorder {
  const report: Report = (event, message) => issuerEvents.publish({ issuer: name, event, message });
  const audit: Audit = async (kind, about) => {
    const nobody = { subject: null, session: null, source: null, detail: null };
    const event: AuditEvent = { at: clock.now(), kind, ...nobody, ...about };
    auditEvents.publish(event);
    try {
      await store().audit.append(event);
    } catch {
      report("audit_failed", `the audit event ${kind} could not be stored`);
    }
  };
  return { report, audit };
}

/** Law 1: what kept us from finding out is neither a yes nor a no. Anything unexpected is thrown on. */
export async function unlessUnavailable<T>(
  work: () => Promise<T>,
): Promise<T | { status: "unavailable"; retryAfterMs: number }> {
  try {
    return await work();
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    return { status: "unavailable", retryAfterMs: error.retryAfterMs || 1000 };
  }
}
