import { readClock } from "../../core/clock.ts";
import { unavailableVerdict, type UnavailableVerdict } from "../../core/verdict.ts";
import { jitter } from "../../resilience/backoff.ts";
import { Breaker, type Permit } from "../../resilience/breaker.ts";
import { Bulkhead } from "../../resilience/bulkhead.ts";
import { remainingMs, type Countdown } from "../../resilience/countdown.ts";
import { withDeadline } from "../../resilience/deadline.ts";
import { LatencyWindow } from "../../resilience/latency-window.ts";
import { Prober } from "../../resilience/prober.ts";
import { RetryBudget } from "../../resilience/retry-budget.ts";
import { describeError, emit } from "../emit.ts";
import { AuthorityHealth } from "./authority-health.ts";
import {
  ANSWER_LABEL,
  makeFailure,
  sendAuthorityRequest,
  type AuthorityProtocol,
  type AuthorityReply,
} from "./authority-request.ts";
import type {
  Authority,
  AuthorityContext,
  AuthorityOutcome,
  AuthoritySource,
  AuthorityStatus,
} from "./authority.ts";
import { ProbeTokens } from "./probe-token.ts";
import { readAuthorityOptions, type AuthorityOptions, type AuthoritySettings } from "./settings.ts";

/** The lower bound of the soft timeout. */
const MIN_SOFT_TIMEOUT_MS = 80;
/** The number of questions that may wait for a free request. */
const MAX_WAITING = 1_000;
/** The share of `maxConcurrent` that questions about unverified tokens may use. */
const UNVERIFIED_SHARE = 1 / 8;
/** The time between a failed probe and the next one. */
const FAILED_PROBE_RETRY_MS = 1_000;

/** `owner` names the options in errors. Throws `invalid_option`. */
export function createAuthoritySource(
  owner: string,
  protocol: AuthorityProtocol,
  options: AuthorityOptions,
): AuthoritySource {
  const settings = readAuthorityOptions(owner, options);
  const { opaque, identity } = settings;
  return {
    kind: protocol.kind,
    opaque,
    identity,
    open: (context) => new AuthorityClient(protocol, settings, context),
  };
}

const neverRetry = () => false;

/** Asks one authority, and keeps its failures from the callers: breaker, bulkhead, deadline, retries and probes. */
class AuthorityClient implements Authority {
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
  /** The authority asked for no requests (`Retry-After`). */
  #pause: Countdown | null = null;
  /** The time to the next probe, which every answer restarts. `null` before `start`. */
  #nextProbe: Countdown | null = null;

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
        const reason = change === "opened" ? (this.#health.lastError ?? "") : "requests are sent again";
        emit(context, `breaker_${change}`, reason);
        this.#prober.schedule();
      },
    });
  }

  ask(token: string): AuthorityOutcome | Promise<AuthorityOutcome> {
    const permit = this.#admit();
    if ("status" in permit) return permit;
    this.#retries.recordRequest();
    const mayRetry = () => this.#retries.trySpend();
    return this.#question(token, mayRetry, (reply) => this.#settle(permit, reply));
  }

  askUnverified(token: string): AuthorityOutcome | Promise<AuthorityOutcome> {
    const permit = this.#admit();
    if ("status" in permit) return permit;
    const isFull = this.#unverifiedCount >= Math.ceil(this.#settings.maxConcurrent * UNVERIFIED_SHARE);
    return isFull ? unavailableVerdict("overloaded") : this.#questionUnverified(token);
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
    if (this.#remainingMs(this.#pause) > 0) return this.#failureVerdict();
    const isFull = this.#inFlight >= this.#settings.maxConcurrent + MAX_WAITING;
    const permit = this.#breaker.admit();
    return isFull ? unavailableVerdict("overloaded") : (permit ?? this.#failureVerdict());
  }

  /** The reply does not count for the breaker, the health or the latency: strangers choose these tokens. */
  async #questionUnverified(token: string): Promise<AuthorityOutcome> {
    this.#unverifiedCount++;
    const outcome = await this.#question(token, neverRetry, () => {});
    this.#unverifiedCount--;
    return outcome;
  }

  async #question(
    token: string,
    mayRetry: () => boolean,
    settle: (reply: AuthorityReply) => void,
  ): Promise<AuthorityOutcome> {
    this.#inFlight++;
    const queued = async <T>(send: () => Promise<T>) => await this.#bulkhead.run(send);
    const reply = await this.#request(token, queued, mayRetry);
    this.#inFlight--;
    if (this.#closing.signal.aborted) return unavailableVerdict("closed");
    settle(reply);
    return reply.status === "failed" ? this.#failureVerdict() : reply;
  }

  /** A probe does not wait in the bulkhead. */
  async #probe(): Promise<void> {
    const { token, expected } = await this.#probeTokens.next(this.#closing.signal);
    const permit = this.#breaker.admitProbe();
    if (permit === null) return;
    const reply = await this.#request(token, async (send) => await send(), neverRetry);
    if (this.#closing.signal.aborted) return;
    const isWrong = reply.status !== "failed" && reply.status !== expected;
    const wrongAnswer = `the authority answered ${reply.status} to the probe token`;
    this.#settle(permit, isWrong ? makeFailure(wrongAnswer) : reply);
    this.#scheduleProbe();
  }

  /** Sends the request, and once more if `mayRetry` allows it, within one deadline. Never rejects. */
  async #request(
    token: string,
    admit: <T>(send: () => Promise<T>) => Promise<T>,
    mayRetry: () => boolean,
  ): Promise<AuthorityReply> {
    const { clock } = this.#context;
    const sendOnce = async (signal: AbortSignal) =>
      await admit(
        async () => await sendAuthorityRequest(this.#protocol, this.#settings, clock, token, signal),
      );
    const send = async (signal: AbortSignal) => {
      const reply = await sendOnce(signal);
      return reply.status === "failed" && reply.mayRetry && mayRetry() ? await sendOnce(signal) : reply;
    };
    try {
      return await withDeadline(clock, ANSWER_LABEL, this.#settings.timeoutMs, send, this.#closing.signal);
    } catch (error) {
      return makeFailure(describeError(error));
    }
  }

  #settle(permit: Permit, reply: AuthorityReply): void {
    if (this.#breaker.state === "forced open") return;
    const now = readClock(this.#context.clock);
    if (reply.status === "failed") {
      this.#health.recordFailure(reply);
      if (reply.pauseMs > 0) this.#pause = { since: now, ms: reply.pauseMs };
    } else {
      this.#health.recordSuccess();
      this.#latency.add(now.monotonic - permit.startedAt.monotonic);
      if (this.#nextProbe !== null) this.#nextProbe = { since: now, ms: this.#nextProbe.ms };
    }
    this.#breaker.settle(permit, reply.status !== "failed");
  }

  #failureVerdict(): UnavailableVerdict {
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

  /** The time until the prober may send a probe. `null` when no probe may be sent. */
  #probeDueMs(): number | null {
    const { state } = this.#breaker;
    if (this.#closing.signal.aborted || state === "half-open" || state === "forced open") return null;
    const waitMs = this.#retryAfterMs();
    if (state === "open") return waitMs;
    return this.#nextProbe && Math.max(waitMs, this.#remainingMs(this.#nextProbe));
  }

  #remainingMs(countdown: Countdown | null): number {
    return remainingMs(this.#context.clock, countdown);
  }
}
