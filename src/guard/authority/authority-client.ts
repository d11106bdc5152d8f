import { readClock, type Instant } from "../../core/clock.ts";
import { unavailableVerdict, type UnavailableVerdict } from "../../core/verdict.ts";
import { jitter } from "../../resilience/backoff.ts";
import { Breaker, type Permit } from "../../resilience/breaker.ts";
import { remainingMs, type Countdown } from "../../resilience/countdown.ts";
import { LatencyWindow } from "../../resilience/latency-window.ts";
import { Prober } from "../../resilience/prober.ts";
import { RetryBudget } from "../../resilience/retry-budget.ts";
import { TwoLaneBulkhead, type Lane } from "../../resilience/two-lane-bulkhead.ts";
import { emit } from "../emit.ts";
import { breakerReporter, publishRefused, TimedQuestion } from "../metrics/record-request.ts";
import { AuthorityHealth } from "./authority-health.ts";
import {
  ANSWER_LABEL,
  replyOutcome,
  requestAnswer,
  type AuthorityFailure,
  type AuthorityProtocol,
  type AuthorityReply,
  type Delivery,
} from "./authority-request.ts";
import type {
  Authority,
  AuthorityAnswer,
  AuthorityContext,
  AuthorityOutcome,
  AuthoritySource,
  AuthorityStatus,
  QuestionOptions,
} from "./authority.ts";
import { checkProbeReply, ProbeTokens } from "./probe-token.ts";
import { readAuthorityOptions, type AuthorityOptions, type AuthoritySettings } from "./settings.ts";

/** The lower bound of the soft timeout. */
const MIN_SOFT_TIMEOUT_MS = 80;
/** The number of questions that may wait for a free request, in each lane. */
const MAX_WAITING = 1_000;
/** The share of `maxConcurrent` that is kept for questions about known tokens. */
const RESERVED_SHARE = 1 / 4;
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
  const { opaque, ask, allowMissingAud, identity, optionsDigest } = settings;
  const open = (context: AuthorityContext) => new AuthorityClient(protocol, settings, context);
  return { kind: protocol.kind, opaque, ask, allowMissingAud, identity, optionsDigest, open };
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
  readonly #bulkhead: TwoLaneBulkhead;
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
    const { maxConcurrent: running } = settings;
    const reserved = Math.floor(running * RESERVED_SHARE);
    this.#bulkhead = new TwoLaneBulkhead(ANSWER_LABEL, { running, reserved, waiting: MAX_WAITING });
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
      onTransition: breakerReporter(context, "authority"),
      onChange: (change) => {
        const reason = change === "opened" ? (this.#health.lastError ?? "") : "requests are sent again";
        emit(context, `breaker_${change}`, reason);
        this.#prober.schedule();
      },
    });
  }

  ask(token: string, question: QuestionOptions = {}): AuthorityOutcome | Promise<AuthorityOutcome> {
    const { lane = "known" } = question;
    const permit = this.#admit(lane);
    if ("status" in permit) return this.#refuse(permit);
    this.#retries.recordRequest();
    const mayRetry = (failure: AuthorityFailure) => {
      // A connection that broke while the authority is well was idle for too long. It costs no retry.
      return (failure.wasReset && this.failingMs() === null) || this.#retries.trySpend();
    };
    return this.#question(token, { ...question, lane }, mayRetry, permit);
  }

  askUnverified(token: string, question: QuestionOptions = {}): AuthorityOutcome | Promise<AuthorityOutcome> {
    const permit = this.#admit("unknown");
    if ("status" in permit) return this.#refuse(permit);
    const isFull = this.#unverifiedCount >= Math.ceil(this.#settings.maxConcurrent * UNVERIFIED_SHARE);
    if (isFull) return this.#refuse(unavailableVerdict("overloaded"));
    return this.#questionUnverified(token, question);
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
      retryAfterMs: this.#retryAfterMs(),
      softTimeoutMs: this.softTimeoutMs,
      inFlight: this.#inFlight,
      ...this.#health.status(),
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

  #admit(lane: Lane): Permit | UnavailableVerdict {
    if (this.#closing.signal.aborted) return unavailableVerdict("closed");
    if (this.#remainingMs(this.#pause) > 0) return this.#failureVerdict();
    const permit = this.#breaker.admit();
    if (permit === null) return this.#failureVerdict();
    return this.#bulkhead.isFull(lane) ? unavailableVerdict("overloaded") : permit;
  }

  #refuse(verdict: UnavailableVerdict): UnavailableVerdict {
    publishRefused(this.#context);
    return verdict;
  }

  /** Strangers choose these tokens, so the reply counts for nothing. A failure only hastens the next probe. */
  async #questionUnverified(token: string, question: QuestionOptions): Promise<AuthorityOutcome> {
    this.#unverifiedCount++;
    const outcome = await this.#question(token, { ...question, lane: "unknown" }, neverRetry, null);
    this.#unverifiedCount--;
    return outcome;
  }

  /** @param permit `null` when the reply does not count. */
  async #question(
    token: string,
    { lane, onSent, onUnusable }: QuestionOptions & { readonly lane: Lane },
    mayRetry: Delivery["mayRetry"],
    permit: Permit | null,
  ): Promise<AuthorityOutcome> {
    let sentAt: Instant | null = null;
    this.#inFlight++;
    const reply = await this.#request(token, {
      admit: async (send) => await this.#bulkhead.run(lane, send),
      mayRetry,
      onSent: () => {
        sentAt ??= readClock(this.#context.clock);
        onSent?.();
      },
    });
    this.#inFlight--;
    if (this.#closing.signal.aborted) return unavailableVerdict("closed");
    // The time ended in our own queue, which says nothing about the authority.
    if (sentAt === null) return unavailableVerdict("overloaded");
    if (reply.status === "yes" || reply.status === "no") {
      if (permit !== null) this.#settle(permit, reply, sentAt);
      return reply;
    }
    const mayConcernToken = reply.status === "unusable" || reply.mayConcernToken;
    if (mayConcernToken) onUnusable?.();
    const cause = reply.status === "unusable" ? "authority_unavailable" : reply.cause;
    const isOnlyDoubt = reply.status === "unusable" || (mayConcernToken && lane === "unknown");
    if (permit === null || isOnlyDoubt) {
      if (permit !== null && this.#breaker.state !== "forced open")
        this.#health.recordDoubt(reply.reason, cause);
      this.#hastenProbe();
      return unavailableVerdict(cause, this.#retryAfterMs() || undefined);
    }
    this.#settle(permit, reply, sentAt);
    return this.#failureVerdict();
  }

  /** The token or the authority may be to blame. The next probe, which no stranger chooses, tells which. */
  #hastenProbe(): void {
    if (this.#nextProbe === null || this.#remainingMs(this.#nextProbe) <= FAILED_PROBE_RETRY_MS) return;
    this.#nextProbe = { since: readClock(this.#context.clock), ms: FAILED_PROBE_RETRY_MS };
    this.#prober.schedule();
  }

  /** A probe does not wait in the bulkhead. */
  async #probe(): Promise<void> {
    const { token, expected } = await this.#probeTokens.next(this.#closing.signal);
    const permit = this.#breaker.admitProbe();
    if (permit === null) return;
    const admit = async <T>(send: () => Promise<T>) => await send();
    const reply = await this.#request(token, { admit, mayRetry: neverRetry, isProbe: true });
    if (this.#closing.signal.aborted) return;
    this.#settle(permit, checkProbeReply(reply, expected), permit.startedAt);
    this.#scheduleProbe();
  }

  /** Never rejects. */
  async #request(token: string, delivery: Delivery): Promise<AuthorityReply> {
    const { signal } = this.#closing;
    const timed = new TimedQuestion(this.#context, delivery.isProbe === true);
    const onSent = () => {
      timed.recordSent();
      delivery.onSent?.();
    };
    const counted = { ...delivery, onSent };
    const reply = await requestAnswer(this.#protocol, this.#settings, this.#context, token, counted, signal);
    if (!signal.aborted) timed.recordReply(replyOutcome(reply));
    return reply;
  }

  #settle(permit: Permit, reply: AuthorityAnswer | AuthorityFailure, sentAt: Instant): void {
    if (this.#breaker.state === "forced open") return;
    const now = readClock(this.#context.clock);
    if (reply.status === "failed") {
      this.#health.recordFailure(reply);
      if (reply.pauseMs > 0) this.#pause = { since: now, ms: reply.pauseMs };
    } else {
      this.#health.recordSuccess();
      this.#latency.add(now.monotonic - sentAt.monotonic);
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
