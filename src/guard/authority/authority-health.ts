import { elapsedMs, readClock, type Clock, type Instant } from "../../core/clock.ts";
import { abortable } from "../../resilience/deadline.ts";
import { emit, type GuardEventSource } from "../emit.ts";
import type { AuthorityStatus } from "./authority.ts";
import type { AuthorityFailure } from "./authority-request.ts";

/** Least time between two alarms of one kind, so that an authority that fails half of the time does not flood the log. */
const ALARM_PAUSE_MS = 10_000;

interface Alarm {
  readonly at: Instant;
  /** When the outage of this alarm began. `null` without an outage. */
  readonly outage: Instant | null;
}

/** Records whether an authority answers. Emits one alarm for each outage, and one when the cause changes. */
export class AuthorityHealth {
  readonly #source: GuardEventSource;
  readonly #clock: Clock;
  readonly #alarms = new Map<AuthorityFailure["cause"], Alarm>();
  readonly #answered = Promise.withResolvers<void>();
  readonly #attempted = Promise.withResolvers<void>();
  #failingSince: Instant | null = null;
  #cause: AuthorityFailure["cause"] = "authority_unavailable";
  #lastError: string | null = null;

  constructor(source: GuardEventSource, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
  }

  /** The cause of the last failure. */
  get cause(): AuthorityFailure["cause"] {
    return this.#cause;
  }

  /** `null` while the authority answers. */
  get lastError(): string | null {
    return this.#lastError;
  }

  status(): Pick<AuthorityStatus, "failingMs" | "cause" | "lastError"> {
    const failingMs = this.failingMs();
    return { failingMs, cause: failingMs === null ? null : this.#cause, lastError: this.#lastError };
  }

  failingMs(): number | null {
    return this.#failingSince === null ? null : Math.max(0, elapsedMs(this.#clock, this.#failingSince));
  }

  recordSuccess(): void {
    this.#failingSince = null;
    this.#lastError = null;
    this.#answered.resolve();
    this.#attempted.resolve();
  }

  recordFailure({ cause, reason }: AuthorityFailure): void {
    this.#failingSince ??= readClock(this.#clock);
    this.#cause = cause;
    this.#lastError = reason;
    this.#attempted.resolve();
    this.#raiseAlarm(cause, reason, this.#failingSince);
  }

  /** Raises the alarm of a failure that the token may have caused. The authority does not count as failing. */
  recordDoubt(reason: string, cause: AuthorityFailure["cause"]): void {
    this.#attempted.resolve();
    this.#raiseAlarm(cause, reason, null);
  }

  /** An operator forced the breaker open: the authority counts as failing from now on. */
  recordForcedOpen(): void {
    this.#failingSince ??= readClock(this.#clock);
    this.#cause = "authority_unavailable";
    this.#lastError = "the breaker is forced open";
  }

  async ready(signal: AbortSignal, { attempt }: { attempt: boolean }): Promise<void> {
    await abortable((attempt ? this.#attempted : this.#answered).promise, signal);
  }

  #raiseAlarm(cause: AuthorityFailure["cause"], reason: string, outage: Instant | null): void {
    const last = this.#alarms.get(cause);
    const isOfThisOutage = outage !== null && last?.outage === outage;
    if (isOfThisOutage || (last && elapsedMs(this.#clock, last.at) < ALARM_PAUSE_MS)) return;
    this.#alarms.set(cause, { at: readClock(this.#clock), outage });
    const isMisconfigured = cause === "authority_misconfigured";
    emit(
      this.#source,
      isMisconfigured ? cause : "authority_failed",
      isMisconfigured ? `${reason}: check url and credentials` : reason,
    );
  }
}
