import { elapsedMs, readClock, type Instant } from "../../core/clock.ts";
import { unavailableVerdict, type UnavailableVerdict } from "../../core/verdict.ts";
import { jitter } from "../../resilience/backoff.ts";
import { Breaker, type Permit } from "../../resilience/breaker.ts";
import { withDeadline } from "../../resilience/deadline.ts";
import { LatencyWindow } from "../../resilience/latency-window.ts";
import { Bulkhead } from "../../resilience/bulkhead.ts";
import { RetryBudget } from "../../resilience/retry-budget.ts";
import { describeError, emit } from "../emit.ts";
import type { Authority, AuthorityContext, AuthorityOutcome, AuthorityStatus } from "./authority.ts";
import { ProbeTokens } from "./probe-token.ts";
import {
  sendAuthorityRequest,
  makeFailure,
  ANSWER_LABEL,
  type AuthorityProtocol,
  type AuthorityReply,
} from "./authority-request.ts";
import { AuthorityHealth } from "./authority-health.ts";
import { Prober } from "../../resilience/prober.ts";
import type { AuthoritySettings } from "./settings.ts";

/** Who may fall back waits at least this long. */
const MIN_SOFT_TIMEOUT_MS = 80;
/** As many questions wait their turn, no longer than the hard timeout. */
const MAX_WAITING = 1_000;
/** The part of the places that tokens may take which nobody could prove. */
const UNVERIFIED_SHARE = 1 / 8;
/** The probe comes again this soon after one that failed. */
const FAILED_PROBE_RETRY_MS = 1_000;

/** Stands between the ladder and one authority, so that its troubles become nobody else's. */
export class AuthorityClient implements Authority {
  readonly #protocol: AuthorityProtocol;
  readonly #settings: AuthoritySettings;
  readonly #context: AuthorityContext;
  readonly #breaker: Breaker;
  readonly #health: AuthorityHealth;
  readonly #prober: Prober;
  readonly #probeTokens: ProbeTokens;
  readonly #latency = new LatencyWindow();
  readonly #retries = new RetryBudget();
  readonly #bulkhead: Bulkhead;
  readonly #closing = new AbortController();
  #inFlight = 0;
  #unverifiedCount = 0;
  /** It wants to be left alone (`Retry-After`). */
  #pause: { readonly since: Instant; readonly ms: number } | null = null;
  /** When the next probe goes unless there is an answer before; `null` until `start`. */
  #nextProbe: { since: Instant; readonly ms: number } | null = null;

  constructor(protocol: AuthorityProtocol, settings: AuthoritySettings, context: AuthorityContext) {
    const { clock, random } = context;
    this.#protocol = protocol;
    this.#settings = settings;
    this.#context = context;
    this.#bulkhead = new Bulkhead(ANSWER_LABEL, { running: settings.maxConcurrent, waiting: MAX_WAITING });
    this.#health = new AuthorityHealth(context, clock);
    this.#probeTokens = new ProbeTokens(settings, context);
    this.#prober = new Prober({
      clock,
      nextProbeInMs: () => this.#probeDueMs(),
      probe: async () => await this.#probe(),
    });
    this.#breaker = new Breaker({
      clock,
      random,
      onChange: (change) => {
        const why = change === "opened" ? (this.#health.lastError ?? "") : "the authority is asked again";
        emit(context, `breaker_${change}`, why);
        this.#prober.schedule();
      },
    });
  }

  ask(token: string): AuthorityOutcome | Promise<AuthorityOutcome> {
    const pass = this.#admit();
    if ("status" in pass) return pass;
    this.#retries.recordRequest();
    const mayRetry = () => this.#retries.trySpend();
    return this.#askAndSettle(token, mayRetry, (reply) => this.#settle(pass, reply));
  }

  askUnverified(token: string): AuthorityOutcome | Promise<AuthorityOutcome> {
    const pass = this.#admit();
    if ("status" in pass) return pass;
    const isCrowded = this.#unverifiedCount >= Math.ceil(this.#settings.maxConcurrent * UNVERIFIED_SHARE);
    return isCrowded ? unavailableVerdict("overloaded") : this.#askUnverified(token);
  }

  get softTimeoutMs(): number {
    return Math.min(this.#settings.timeoutMs, Math.max(MIN_SOFT_TIMEOUT_MS, 3 * this.#latency.p99Ms));
  }

  failingMs(): number | null {
    return this.#health.failingMs();
  }

  status(): AuthorityStatus {
    const { state } = this.#breaker;
    return {
      kind: this.#protocol.kind,
      breaker: state,
      failingMs: this.failingMs(),
      retryAfterMs: this.#retryAfterMs(),
      softTimeoutMs: this.softTimeoutMs,
      inFlight: this.#inFlight,
      lastError: this.#health.lastError,
    };
  }

  start(): void {
    this.#nextProbe = { since: readClock(this.#context.clock), ms: 0 };
    this.#prober.schedule();
  }

  async ready(signal: AbortSignal, wait: { attempt: boolean }): Promise<void> {
    await this.#health.ready(signal, wait);
  }

  force(state: "open" | "closed" | null): void {
    if (state === "open") this.#health.recordForcedOpen();
    this.#breaker.force(state);
    if (this.#nextProbe !== null) this.start();
  }

  close(): void {
    this.#closing.abort();
    this.#prober.close();
  }

  #admit(): Permit | UnavailableVerdict {
    if (this.#closing.signal.aborted) return unavailableVerdict("closed");
    if (this.#remainingMs(this.#pause) > 0) return this.#noAnswerVerdict();
    const isFull = this.#inFlight >= this.#settings.maxConcurrent + MAX_WAITING;
    const pass = this.#breaker.admit();
    return isFull ? unavailableVerdict("overloaded") : (pass ?? this.#noAnswerVerdict());
  }

  async #askUnverified(token: string): Promise<AuthorityOutcome> {
    this.#unverifiedCount++;
    const never = () => false;
    const outcome = await this.#askAndSettle(token, never, () => {});
    this.#unverifiedCount--;
    return outcome;
  }

  async #askAndSettle(
    token: string,
    mayRetry: () => boolean,
    settle: (reply: AuthorityReply) => void,
  ): Promise<AuthorityOutcome> {
    this.#inFlight++;
    const queued = async <T>(ask: () => Promise<T>) => await this.#bulkhead.run(ask);
    const reply = await this.#request(token, queued, mayRetry);
    this.#inFlight--;
    if (this.#closing.signal.aborted) return unavailableVerdict("closed");
    settle(reply);
    return reply.status === "failed" ? this.#noAnswerVerdict() : reply;
  }

  async #probe(): Promise<void> {
    const { token, expected } = await this.#probeTokens.next(this.#closing.signal);
    const pass = this.#breaker.admitProbe();
    if (pass === null) return;
    const reply = await this.#request(
      token,
      async (ask) => await ask(),
      () => false,
    );
    if (this.#closing.signal.aborted) return;
    const wrong = reply.status !== "failed" && reply.status !== expected;
    this.#settle(
      pass,
      wrong ? makeFailure(`the authority said ${reply.status} to the probe's token`) : reply,
    );
    this.#scheduleProbe();
  }

  /** Never rejects. */
  async #request(
    token: string,
    admit: <T>(ask: () => Promise<T>) => Promise<T>,
    mayRetry: () => boolean,
  ): Promise<AuthorityReply> {
    const { clock } = this.#context;
    const once = async (signal: AbortSignal) =>
      await admit(
        async () => await sendAuthorityRequest(this.#protocol, this.#settings, clock, token, signal),
      );
    const work = async (signal: AbortSignal) => {
      const reply = await once(signal);
      return reply.status === "failed" && reply.mayRetry && mayRetry() ? await once(signal) : reply;
    };
    try {
      return await withDeadline(clock, ANSWER_LABEL, this.#settings.timeoutMs, work, this.#closing.signal);
    } catch (error) {
      return makeFailure(describeError(error));
    }
  }

  #settle(pass: Permit, reply: AuthorityReply): void {
    if (this.#breaker.state === "forced open") return;
    const now = readClock(this.#context.clock);
    if (reply.status === "failed") {
      this.#health.recordFailure(reply);
      if (reply.pauseMs > 0) this.#pause = { since: now, ms: reply.pauseMs };
    } else {
      this.#health.recordSuccess();
      this.#latency.add(now.monotonic - pass.startedAt.monotonic);
      if (this.#nextProbe !== null) this.#nextProbe.since = now;
    }
    this.#breaker.settle(pass, reply.status !== "failed");
  }

  #noAnswerVerdict(): UnavailableVerdict {
    return unavailableVerdict(this.#health.cause, this.#retryAfterMs() || undefined);
  }

  #retryAfterMs(): number {
    return Math.ceil(Math.max(this.#remainingMs(this.#pause), this.#breaker.retryAfterMs));
  }

  #scheduleProbe(): void {
    if (this.#nextProbe === null) return;
    const { clock, random } = this.#context;
    const ms = this.failingMs() === null ? this.#settings.probeMs : FAILED_PROBE_RETRY_MS;
    this.#nextProbe = { since: readClock(clock), ms: jitter(ms, 0.2, random) };
  }

  #probeDueMs(): number | null {
    const { state } = this.#breaker;
    if (this.#closing.signal.aborted || state === "half-open" || state === "forced open") return null;
    const waitMs = this.#retryAfterMs();
    if (state === "open") return waitMs;
    return this.#nextProbe && Math.max(waitMs, this.#remainingMs(this.#nextProbe));
  }

  #remainingMs(wait: { readonly since: Instant; readonly ms: number } | null): number {
    return wait === null ? 0 : Math.max(0, wait.ms - elapsedMs(this.#context.clock, wait.since));
  }
}
