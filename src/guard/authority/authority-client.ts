import { elapsedMs, instant, type Instant } from "../../core/clock.ts";
import { unavailable, type Unavailable } from "../../core/verdict.ts";
import { jittered } from "../../resilience/backoff.ts";
import { Breaker, type Pass } from "../../resilience/breaker.ts";
import { withDeadline } from "../../resilience/deadline.ts";
import { LatencyWindow } from "../../resilience/latency-window.ts";
import { Pool } from "../../resilience/pool.ts";
import { RetryBudget } from "../../resilience/retry-budget.ts";
import { describe, report } from "../report.ts";
import type { Authority, AuthorityContext, AuthorityOutcome, AuthorityStatus } from "./authority.ts";
import { Canary } from "./canary.ts";
import { exchange, failed, WHAT, type Dialect, type Reply } from "./exchange.ts";
import { Health } from "./health.ts";
import { Prober } from "./prober.ts";
import type { AuthoritySettings } from "./settings.ts";

/** Who may fall back waits at least this long. */
const LEAST_PATIENCE_MS = 80;
/** As many questions wait their turn, no longer than the hard timeout. */
const WAITING = 1_000;
/** The part of the places that tokens may take which nobody could prove. */
const SUSPECTS = 1 / 8;
/** The probe comes again this soon after one that failed. */
const PROBE_AGAIN_MS = 1_000;

/** Stands between the ladder and one authority, so that its troubles become nobody else's. */
export class AuthorityClient implements Authority {
  readonly #dialect: Dialect;
  readonly #settings: AuthoritySettings;
  readonly #context: AuthorityContext;
  readonly #breaker: Breaker;
  readonly #health: Health;
  readonly #prober: Prober;
  readonly #canary: Canary;
  readonly #latency = new LatencyWindow();
  readonly #retries = new RetryBudget();
  readonly #places: Pool;
  readonly #closing = new AbortController();
  #inFlight = 0;
  #suspects = 0;
  /** It wants to be left alone (`Retry-After`). */
  #pause: { readonly since: Instant; readonly ms: number } | null = null;
  /** When the next probe goes unless there is an answer before; `null` until `start`. */
  #probeIn: { since: Instant; readonly ms: number } | null = null;

  constructor(dialect: Dialect, settings: AuthoritySettings, context: AuthorityContext) {
    const { clock, random } = context;
    this.#dialect = dialect;
    this.#settings = settings;
    this.#context = context;
    this.#places = new Pool(WHAT, { running: settings.maxConcurrent, waiting: WAITING });
    this.#health = new Health(context, clock);
    this.#canary = new Canary(settings, context);
    this.#prober = new Prober({
      clock,
      dueMs: () => this.#probeDueMs(),
      probe: async () => await this.#probe(),
    });
    this.#breaker = new Breaker({
      clock,
      random,
      onChange: (change) => {
        const why = change === "opened" ? (this.#health.lastError ?? "") : "the authority is asked again";
        report(context, `breaker_${change}`, why);
        this.#prober.schedule();
      },
    });
  }

  ask(token: string): AuthorityOutcome | Promise<AuthorityOutcome> {
    const pass = this.#admit();
    if ("status" in pass) return pass;
    this.#retries.earn();
    const mayRetry = () => this.#retries.spend();
    return this.#question(token, mayRetry, (reply) => this.#settle(pass, reply));
  }

  askOfSuspect(token: string): AuthorityOutcome | Promise<AuthorityOutcome> {
    const pass = this.#admit();
    if ("status" in pass) return pass;
    const isCrowded = this.#suspects >= Math.ceil(this.#settings.maxConcurrent * SUSPECTS);
    return isCrowded ? unavailable("overloaded") : this.#suspected(token);
  }

  get patienceMs(): number {
    return Math.min(this.#settings.timeoutMs, Math.max(LEAST_PATIENCE_MS, 3 * this.#latency.p99Ms));
  }

  failingMs(): number | null {
    return this.#health.failingMs();
  }

  status(): AuthorityStatus {
    const { state } = this.#breaker;
    return {
      kind: this.#dialect.kind,
      breaker: state,
      failingMs: this.failingMs(),
      retryAfterMs: this.#retryAfterMs(),
      patienceMs: this.patienceMs,
      inFlight: this.#inFlight,
      lastError: this.#health.lastError,
    };
  }

  start(): void {
    this.#probeIn = { since: instant(this.#context.clock), ms: 0 };
    this.#prober.schedule();
  }

  async ready(signal: AbortSignal, wait: { attempt: boolean }): Promise<void> {
    await this.#health.ready(signal, wait);
  }

  force(state: "open" | "closed" | null): void {
    if (state === "open") this.#health.stopped();
    this.#breaker.force(state);
    if (this.#probeIn !== null) this.start();
  }

  close(): void {
    this.#closing.abort();
    this.#prober.close();
  }

  #admit(): Pass | Unavailable {
    if (this.#closing.signal.aborted) return unavailable("closed");
    if (this.#leftMs(this.#pause) > 0) return this.#noAnswer();
    const isFull = this.#inFlight >= this.#settings.maxConcurrent + WAITING;
    const pass = this.#breaker.admit();
    return isFull ? unavailable("overloaded") : (pass ?? this.#noAnswer());
  }

  async #suspected(token: string): Promise<AuthorityOutcome> {
    this.#suspects++;
    const never = () => false;
    const outcome = await this.#question(token, never, () => {});
    this.#suspects--;
    return outcome;
  }

  async #question(
    token: string,
    mayRetry: () => boolean,
    settle: (reply: Reply) => void,
  ): Promise<AuthorityOutcome> {
    this.#inFlight++;
    const inTurn = async <T>(ask: () => Promise<T>) => await this.#places.run(ask);
    const reply = await this.#exchange(token, inTurn, mayRetry);
    this.#inFlight--;
    if (this.#closing.signal.aborted) return unavailable("closed");
    settle(reply);
    return reply.status === "failed" ? this.#noAnswer() : reply;
  }

  async #probe(): Promise<void> {
    const { token, expected } = await this.#canary.next(this.#closing.signal);
    const pass = this.#breaker.admitProbe();
    if (pass === null) return;
    const reply = await this.#exchange(
      token,
      async (ask) => await ask(),
      () => false,
    );
    if (this.#closing.signal.aborted) return;
    const wrong = reply.status !== "failed" && reply.status !== expected;
    this.#settle(pass, wrong ? failed(`the authority said ${reply.status} to the probe's token`) : reply);
    this.#probeLater();
  }

  /** Never rejects. */
  async #exchange(
    token: string,
    admit: <T>(ask: () => Promise<T>) => Promise<T>,
    mayRetry: () => boolean,
  ): Promise<Reply> {
    const { clock } = this.#context;
    const once = async (signal: AbortSignal) =>
      await admit(async () => await exchange(this.#dialect, this.#settings, clock, token, signal));
    const work = async (signal: AbortSignal) => {
      const reply = await once(signal);
      return reply.status === "failed" && reply.retriable && mayRetry() ? await once(signal) : reply;
    };
    try {
      return await withDeadline(clock, WHAT, this.#settings.timeoutMs, work, this.#closing.signal);
    } catch (error) {
      return failed(describe(error));
    }
  }

  #settle(pass: Pass, reply: Reply): void {
    if (this.#breaker.state === "forced open") return;
    const now = instant(this.#context.clock);
    if (reply.status === "failed") {
      this.#health.failed(reply);
      if (reply.pauseMs > 0) this.#pause = { since: now, ms: reply.pauseMs };
    } else {
      this.#health.succeeded();
      this.#latency.add(now.monotonic - pass.began.monotonic);
      if (this.#probeIn !== null) this.#probeIn.since = now;
    }
    this.#breaker.settle(pass, reply.status !== "failed");
  }

  #noAnswer(): Unavailable {
    return unavailable(this.#health.cause, this.#retryAfterMs() || undefined);
  }

  #retryAfterMs(): number {
    return Math.ceil(Math.max(this.#leftMs(this.#pause), this.#breaker.retryAfterMs));
  }

  #probeLater(): void {
    if (this.#probeIn === null) return;
    const { clock, random } = this.#context;
    const ms = this.failingMs() === null ? this.#settings.probeMs : PROBE_AGAIN_MS;
    this.#probeIn = { since: instant(clock), ms: jittered(ms, 0.2, random) };
  }

  #probeDueMs(): number | null {
    const { state } = this.#breaker;
    if (this.#closing.signal.aborted || state === "half-open" || state === "forced open") return null;
    const waitMs = this.#retryAfterMs();
    if (state === "open") return waitMs;
    return this.#probeIn && Math.max(waitMs, this.#leftMs(this.#probeIn));
  }

  #leftMs(wait: { readonly since: Instant; readonly ms: number } | null): number {
    return wait === null ? 0 : Math.max(0, wait.ms - elapsedMs(this.#context.clock, wait.since));
  }
}
