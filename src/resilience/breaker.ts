import { elapsedMsBetween, elapsedMs, readClock, type Clock, type Instant } from "../core/clock.ts";
import { backoffMs } from "./backoff.ts";

/** The breaker opens after this many failed attempts in a row. */
const FAILURES_TO_OPEN = 5;
/** The failures must also last this long, so that an upstream that fails half of the time stays in use. */
const MIN_FAILING_MS = 1_000;
/** Two failed probes suffice without user traffic, so that the breaker opens before users notice. */
const FAILED_PROBES_TO_OPEN = 2;
/** How long the breaker stays open: the first time, and at most. */
const OPEN_TIME = { firstMs: 1_000, maxMs: 10_000 };
/** After this long closed, the breaker starts again with the shortest open time. */
const RESET_AFTER_MS = 60_000;

export interface BreakerOptions {
  readonly clock: Clock;
  /** Returns a number from 0 to 1, for jitter. */
  readonly random: () => number;
  /** Called after the breaker has begun or ceased to admit requests. */
  readonly onChange: (change: "opened" | "closed") => void;
  /** Called after every change of the state, before `onChange`. */
  readonly onTransition?: (from: BreakerState["kind"], to: BreakerState["kind"]) => void;
}

/** Permission for one attempt. The holder must return it to `settle`, whatever the outcome. */
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
 * A circuit breaker: stops requests to an upstream that does not answer. Only a background probe tests an open breaker,
 * so that no user waits for a dead upstream. Ages are the larger of both clocks: a clock set back never keeps it open.
 */
export class Breaker {
  readonly #options: BreakerOptions;
  #state: BreakerState;
  /** Counts openings without a long closed time between them. */
  #openingsInRow = 0;

  constructor(options: BreakerOptions) {
    this.#options = options;
    this.#state = this.#closedState();
  }

  get state(): BreakerState["kind"] {
    return this.#state.kind;
  }

  /** The wait before the next probe, in milliseconds. 0 when a probe may start now or is not needed. */
  get retryAfterMs(): number {
    const state = this.#state;
    if (state.kind !== "open") return 0;
    return Math.max(0, state.forMs - elapsedMs(this.#options.clock, state.since));
  }

  /** A permit for a user's request. `null` unless the breaker is closed. */
  admit(): Permit | null {
    return this.#isAdmitting() ? { startedAt: readClock(this.#options.clock), probe: false } : null;
  }

  /** A permit for a probe: at any time while closed, and once when the open time is over. `null` otherwise. */
  admitProbe(): Permit | null {
    const permit = { startedAt: readClock(this.#options.clock), probe: true };
    if (this.#isAdmitting()) return permit;
    if (this.#state.kind !== "open" || this.retryAfterMs > 0) return null;
    this.#transitionTo({ kind: "half-open", probe: permit });
    return permit;
  }

  /** Records the outcome of an attempt. */
  settle(permit: Permit, succeeded: boolean): void {
    const state = this.#state;
    if (state.kind === "half-open" && state.probe === permit) {
      this.#transitionTo(succeeded ? this.#closedState() : this.#openState());
    } else if (state.kind === "closed") {
      if (succeeded) {
        state.lastSuccess = readClock(this.#options.clock);
        state.failing = null;
      } else if (permit.startedAt.monotonic >= state.lastSuccess.monotonic) {
        // An attempt that started before the last success says nothing about the time after it.
        state.failing ??= { since: permit.startedAt, attempts: 0, probes: 0 };
        state.failing.attempts++;
        if (permit.probe) state.failing.probes++;
        if (this.#shouldOpen(state.failing)) this.#transitionTo(this.#openState());
      }
    }
  }

  /** Holds the breaker open or closed. `null` ends that: the breaker is closed then, and counts from the beginning. */
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
    const from = this.#state.kind;
    this.#state = next;
    if (from !== next.kind) this.#options.onTransition?.(from, next.kind);
    if (this.#isAdmitting() !== admitted) this.#options.onChange(admitted ? "opened" : "closed");
  }
}
