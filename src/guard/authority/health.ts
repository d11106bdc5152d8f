import { elapsedMs, instant, type Clock, type Instant } from "../../core/clock.ts";
import { abandonable } from "../../resilience/deadline.ts";
import { report, type Source } from "../report.ts";
import type { Failure } from "./exchange.ts";

/** The same alarm again, for another outage: not sooner, so that who fails half of the time does not flood anybody. */
const ALARM_PAUSE_MS = 10_000;

interface Alarm {
  readonly at: Instant;
  /** When the outage began that it was about. */
  readonly outage: Instant;
}

/** How an authority has been answering. Speaks up once an outage, and when its kind changes. */
export class Health {
  readonly #source: Source;
  readonly #clock: Clock;
  readonly #alarms = new Map<Failure["cause"], Alarm>();
  readonly #answered = Promise.withResolvers<void>();
  readonly #attempted = Promise.withResolvers<void>();
  #failingSince: Instant | null = null;
  #cause: Failure["cause"] = "authority_unavailable";
  #lastError: string | null = null;

  constructor(source: Source, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
  }

  /** Why it gave no answer the last time that it gave none. */
  get cause(): Failure["cause"] {
    return this.#cause;
  }

  /** `null` while it answers. */
  get lastError(): string | null {
    return this.#lastError;
  }

  failingMs(): number | null {
    return this.#failingSince === null ? null : Math.max(0, elapsedMs(this.#clock, this.#failingSince));
  }

  succeeded(): void {
    this.#failingSince = null;
    this.#lastError = null;
    this.#answered.resolve();
    this.#attempted.resolve();
  }

  failed({ cause, why }: Failure): void {
    this.#failingSince ??= instant(this.#clock);
    this.#cause = cause;
    this.#lastError = why;
    this.#attempted.resolve();
    this.#alarm(cause, why, this.#failingSince);
  }

  /** Nobody asks it any more, by order: it does not answer from now on. */
  stopped(): void {
    this.#failingSince ??= instant(this.#clock);
    this.#cause = "authority_unavailable";
    this.#lastError = "the breaker is held open";
  }

  async ready(signal: AbortSignal, { attempt }: { attempt: boolean }): Promise<void> {
    await abandonable((attempt ? this.#attempted : this.#answered).promise, signal);
  }

  #alarm(cause: Failure["cause"], why: string, outage: Instant): void {
    const last = this.#alarms.get(cause);
    const told = last?.outage === outage || (last && elapsedMs(this.#clock, last.at) < ALARM_PAUSE_MS);
    if (told) return;
    this.#alarms.set(cause, { at: instant(this.#clock), outage });
    const refused = cause === "authority_misconfigured";
    report(
      this.#source,
      refused ? cause : "authority_failed",
      refused ? `${why}: check url and credentials` : why,
    );
  }
}
