import { elapsedMsBetween, elapsedMs, readClock, type Clock, type Instant } from "../core/clock.ts";
import { backoffMs } from "./backoff.ts";

/** It opens when so many attempts in a row failed … */
const FAILURES_TO_OPEN = 5;
/** … and so much time has passed since the first of them startedAt: an upstream that fails half of the time stays in use. */
const MIN_FAILING_MS = 1_000;
/** Nobody but probes asks: two that fail are enough, so that it opens before users notice. */
const FAILED_PROBES_TO_OPEN = 2;
/** How long it stays open, from the first time to the longest. */
const OPEN_TIME = { firstMs: 1_000, maxMs: 10_000 };
/** Only after so long closed does it begin with the first again. */
const RESET_AFTER_MS = 60_000;

export interface BreakerOptions {
  readonly clock: Clock;
  /** From 0 to 1, for jitter. */
  readonly random: () => number;
  /** Called after the change. */
  readonly onChange: (change: "opened" | "closed") => void;
}

/** Leave to ask. It is given back by `settle`, whatever became of it. */
export interface Permit {
  readonly startedAt: Instant;
  readonly probe: boolean;
}

interface FailureRun {
  readonly since: Instant;
  attempts: number;
  probes: number;
}

type BreakerState =
  | { readonly kind: "closed"; readonly since: Instant; lastSuccess: Instant; failing: FailureRun | null }
  | { readonly kind: "open"; readonly since: Instant; readonly forMs: number }
  | { readonly kind: "half-open"; readonly probe: Permit }
  | { readonly kind: "forced open" }
  | { readonly kind: "forced closed" };

/**
 * Stops asking an upstream that does not answer. Only a background probe finds out whether it answers again: no user
 * ever waits for that. Ages are the larger of both clocks, so a clock set back never keeps it open.
 */
export class Breaker {
  readonly #options: BreakerOptions;
  #state: BreakerState;
  /** In a row, without a long time closed between them. */
  #openingsInRow = 0;

  constructor(options: BreakerOptions) {
    this.#options = options;
    this.#state = this.#closedState();
  }

  get state(): BreakerState["kind"] {
    return this.#state.kind;
  }

  /** Until the probe may go; 0 when it may, or is not needed. */
  get retryAfterMs(): number {
    const state = this.#state;
    if (state.kind !== "open") return 0;
    return Math.max(0, state.forMs - elapsedMs(this.#options.clock, state.since));
  }

  /** Leave for a user; `null` unless it is closed. */
  admit(): Permit | null {
    return this.#isAdmitting() ? { startedAt: readClock(this.#options.clock), probe: false } : null;
  }

  /** Leave for a probe: any time while closed; once, when the open time is over. */
  admitProbe(): Permit | null {
    const permit = { startedAt: readClock(this.#options.clock), probe: true };
    if (this.#isAdmitting()) return permit;
    if (this.#state.kind !== "open" || this.retryAfterMs > 0) return null;
    this.#state = { kind: "half-open", probe: permit };
    return permit;
  }

  settle(permit: Permit, succeeded: boolean): void {
    const state = this.#state;
    if (state.kind === "half-open" && state.probe === permit) {
      this.#transitionTo(succeeded ? this.#closedState() : this.#openState());
    } else if (state.kind === "closed") {
      if (succeeded) {
        state.lastSuccess = readClock(this.#options.clock);
        state.failing = null;
      } else if (permit.startedAt.monotonic >= state.lastSuccess.monotonic) {
        // What was asked before the last success says nothing about the time after it.
        state.failing ??= { since: permit.startedAt, attempts: 0, probes: 0 };
        state.failing.attempts++;
        if (permit.probe) state.failing.probes++;
        if (this.#shouldOpen(state.failing)) this.#transitionTo(this.#openState());
      }
    }
  }

  /** Holds it open or closed until `null`; it is closed then, and finds out anew. */
  force(to: "open" | "closed" | null): void {
    if (to !== null) this.#transitionTo({ kind: `forced ${to}` });
    else if (this.#state.kind.startsWith("forced")) this.#transitionTo(this.#closedState());
  }

  #isAdmitting(): boolean {
    return this.#state.kind === "closed" || this.#state.kind === "forced closed";
  }

  #shouldOpen({ since, attempts, probes }: FailureRun): boolean {
    if (probes >= FAILED_PROBES_TO_OPEN) return true;
    return attempts >= FAILURES_TO_OPEN && elapsedMs(this.#options.clock, since) >= MIN_FAILING_MS;
  }

  #closedState(): BreakerState {
    const now = readClock(this.#options.clock);
    return { kind: "closed", since: now, lastSuccess: now, failing: null };
  }

  #openState(): BreakerState {
    const { clock, random } = this.#options;
    const state = this.#state;
    const since = readClock(clock);
    if (state.kind === "closed" && elapsedMsBetween(state.since, since) >= RESET_AFTER_MS)
      this.#openingsInRow = 0;
    return { kind: "open", since, forMs: backoffMs(++this.#openingsInRow, { ...OPEN_TIME, random }) };
  }

  #transitionTo(next: BreakerState): void {
    const admitted = this.#isAdmitting();
    this.#state = next;
    if (this.#isAdmitting() !== admitted) this.#options.onChange(admitted ? "opened" : "closed");
  }
}
