import { between, elapsedMs, instant, type Clock, type Instant } from "../core/clock.ts";
import { backoffMs } from "./backoff.ts";

/** It opens when so many attempts in a row failed … */
const FAILURES = 5;
/** … and so much time has passed since the first of them began: an upstream that fails half of the time stays in use. */
const FAILING_MS = 1_000;
/** Nobody but probes asks: two that fail are enough, so that it opens before users notice. */
const FAILED_PROBES = 2;
/** How long it stays open, from the first time to the longest. */
const OPEN = { firstMs: 1_000, maxMs: 10_000 };
/** Only after so long closed does it begin with the first again. */
const FORGET_MS = 60_000;

export interface BreakerOptions {
  readonly clock: Clock;
  /** From 0 to 1, for jitter. */
  readonly random: () => number;
  /** Called after the change. */
  readonly onChange: (change: "opened" | "closed") => void;
}

/** Leave to ask. It is given back by `settle`, whatever became of it. */
export interface Pass {
  readonly began: Instant;
  readonly probe: boolean;
}

interface Failing {
  readonly since: Instant;
  attempts: number;
  probes: number;
}

type State =
  | { readonly kind: "closed"; readonly since: Instant; lastSuccess: Instant; failing: Failing | null }
  | { readonly kind: "open"; readonly since: Instant; readonly forMs: number }
  | { readonly kind: "half-open"; readonly probe: Pass }
  | { readonly kind: "forced open" }
  | { readonly kind: "forced closed" };

/**
 * Stops asking an upstream that does not answer. Only a background probe finds out whether it answers again: no user
 * ever waits for that. Ages are the larger of both clocks, so a clock set back never keeps it open.
 */
export class Breaker {
  readonly #options: BreakerOptions;
  #state: State;
  /** In a row, without a long time closed between them. */
  #openings = 0;

  constructor(options: BreakerOptions) {
    this.#options = options;
    this.#state = this.#closed();
  }

  get state(): State["kind"] {
    return this.#state.kind;
  }

  /** Until the probe may go; 0 when it may, or is not needed. */
  get retryAfterMs(): number {
    const state = this.#state;
    if (state.kind !== "open") return 0;
    return Math.max(0, state.forMs - elapsedMs(this.#options.clock, state.since));
  }

  /** Leave for a user; `null` unless it is closed. */
  admit(): Pass | null {
    return this.#admits() ? { began: instant(this.#options.clock), probe: false } : null;
  }

  /** Leave for a probe: any time while closed; once, when the open time is over. */
  admitProbe(): Pass | null {
    const pass = { began: instant(this.#options.clock), probe: true };
    if (this.#admits()) return pass;
    if (this.#state.kind !== "open" || this.retryAfterMs > 0) return null;
    this.#state = { kind: "half-open", probe: pass };
    return pass;
  }

  settle(pass: Pass, succeeded: boolean): void {
    const state = this.#state;
    if (state.kind === "half-open" && state.probe === pass) {
      this.#become(succeeded ? this.#closed() : this.#open());
    } else if (state.kind === "closed") {
      if (succeeded) {
        state.lastSuccess = instant(this.#options.clock);
        state.failing = null;
      } else if (pass.began.monotonic >= state.lastSuccess.monotonic) {
        // What was asked before the last success says nothing about the time after it.
        state.failing ??= { since: pass.began, attempts: 0, probes: 0 };
        state.failing.attempts++;
        if (pass.probe) state.failing.probes++;
        if (this.#fails(state.failing)) this.#become(this.#open());
      }
    }
  }

  /** Holds it open or closed until `null`; it is closed then, and finds out anew. */
  force(to: "open" | "closed" | null): void {
    if (to !== null) this.#become({ kind: `forced ${to}` });
    else if (this.#state.kind.startsWith("forced")) this.#become(this.#closed());
  }

  #admits(): boolean {
    return this.#state.kind === "closed" || this.#state.kind === "forced closed";
  }

  #fails({ since, attempts, probes }: Failing): boolean {
    if (probes >= FAILED_PROBES) return true;
    return attempts >= FAILURES && elapsedMs(this.#options.clock, since) >= FAILING_MS;
  }

  #closed(): State {
    const now = instant(this.#options.clock);
    return { kind: "closed", since: now, lastSuccess: now, failing: null };
  }

  #open(): State {
    const { clock, random } = this.#options;
    const state = this.#state;
    const since = instant(clock);
    if (state.kind === "closed" && between(state.since, since) >= FORGET_MS) this.#openings = 0;
    return { kind: "open", since, forMs: backoffMs(++this.#openings, { ...OPEN, random }) };
  }

  #become(next: State): void {
    const admitted = this.#admits();
    this.#state = next;
    if (this.#admits() !== admitted) this.#options.onChange(admitted ? "opened" : "closed");
  }
}
