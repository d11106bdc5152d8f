import { systemClock } from "../core/clock.ts";
import { invalidOption } from "../core/options.ts";
import { Counts } from "../core/metrics.ts";
import { requireRuntime } from "../core/runtime-floor.ts";
import type { JwtClaims } from "../core/verdict.ts";
import { HeaderMemo } from "../jwt/parse.ts";
import { VerificationPool } from "../jwt/verification-pool.ts";
import { SingleFlight } from "../resilience/single-flight.ts";
import { describeError, emit, type GuardEventSource } from "./emit.ts";
import { startGuardedIssuer } from "./issuers/guarded-issuer.ts";
import { GuardedIssuers } from "./issuers/guarded-issuers.ts";
import { DecisionCounts } from "./metrics/decision-counts.ts";
import { DecisionTracing } from "./pipeline/decision-tracing.ts";
import { DecisionDurations } from "./metrics/decision-durations.ts";
import { guardMetrics } from "./metrics/guard-metrics.ts";
import { createAdmit } from "./pipeline/admission.ts";
import { createAuthorize } from "./pipeline/authorize.ts";
import { ClockMonitor } from "./pipeline/clock-monitor.ts";
import type { PipelineContext } from "./pipeline/context.ts";
import { KeyTrials } from "./pipeline/key-trials.ts";
import { ResultCache } from "./pipeline/result-cache.ts";
import { UnusableAnswers } from "./pipeline/unusable-answers.ts";
import { countOpenGuard } from "./live-guards.ts";
import { ready } from "./ready.ts";
import { createRequestScopedGuard } from "./request-scope/request-scoped-guard.ts";
import { isRequestScoped } from "./request-scope/runtime.ts";
import { readGuardSettings, type GuardSettings } from "./settings.ts";
import { SharedCache } from "./shared/shared-cache.ts";
import { guardStatus } from "./status.ts";
import type { Guard, GuardOptions } from "./types.ts";

/**
 * Makes a guard for the tokens of one issuer, or of several. It checks and copies the options, and throws
 * `invalid_option`, `missing_method` or `invalid_key`, naming the option that is wrong, and `unsupported_runtime` on an old
 * Node.
 *
 * The guard follows revocations and probes its authorities in the background. `close` ends that.
 *
 * @example
 * ```ts
 * import { createGuard, introspection } from "holdfast";
 *
 * const guard = createGuard({
 *   issuer: "https://id.example.com",
 *   audience: "https://api.example.com",
 *   authority: introspection({
 *     url: "https://id.example.com/oauth/introspect",
 *     clientId: "orders-api",
 *     clientSecret: "the secret of orders-api",
 *   }),
 *   degraded: "local",
 * });
 *
 * declare const token: string;
 * const verdict = await guard.validate(token);
 * if (verdict.status === "valid") console.log(verdict.subject, verdict.scopes);
 * await guard.close();
 * ```
 */
export function createGuard<C = JwtClaims>(options: GuardOptions): Guard<C> {
  requireRuntime();
  const settings = readGuardSettings(options);
  return isRequestScoped()
    ? createRequestScopedGuard(settings, (own) => openGuard<C>(own, false))
    : openGuard(settings, true);
}

/** `isLasting` says whether the guard lives for longer than a request, with work in the background. */
function openGuard<C>(settings: GuardSettings, isLasting: boolean): Guard<C> {
  const context = createContext(settings);
  const { guardedIssuers } = context;
  if (isLasting && context.snapshots === undefined) start(context);
  else if (isLasting) context.restoring = restore(context);
  const authorize = createAuthorize<C>(context);
  const issuers = guardedIssuers.configured.map(({ source }) => source.issuer);
  // Only tests and simulations pass another clock, and a simulated crash does not close a guard.
  const isCounted = isLasting && settings.clock === systemClock;
  const endCount = isCounted ? countOpenGuard(context.name, issuers) : () => {};
  const closing = new AbortController();
  return {
    name: context.name,
    // A decision without rules is never `forbidden`.
    validate: authorize as Guard<C>["validate"],
    authorize,
    admit: createAdmit<C>(context),
    watch: (listener) =>
      guardedIssuers.watch(() => callListener({ guard: context.name, issuer: null }, listener)),
    status: () => guardStatus(context),
    metrics: () => guardMetrics(context),
    ready: async (call = {}) => await ready(context, call, closing.signal),
    distrustKeys: (issuer) => guardedIssuers.getByName(issuer).keyring.distrust(),
    refreshKeys: (issuer) => guardedIssuers.getByName(issuer).keyring.refreshAfterBadSignature(),
    forceBreaker: (state, issuer) => {
      const { authority } = guardedIssuers.getByName(issuer);
      if (authority === undefined) throw invalidOption("issuer", "one with an authority", issuer);
      authority.force(state);
    },
    close: async () => {
      context.closed = true;
      endCount();
      closing.abort();
      await Promise.all([context.sharedCache?.close(), guardedIssuers.close()]);
    },
  };
}

/** Calls a listener of `watch`. An error of the application must not hide a revocation from the guard or from others. */
function callListener(source: GuardEventSource, listener: () => unknown): void {
  const report = (error: unknown) => emit(source, "listener_failed", describeError(error));
  try {
    const result = listener();
    if (result instanceof Promise) result.catch(report);
  } catch (error) {
    report(error);
  }
}

/** Loads the snapshots of earlier runs before anything else starts. */
async function restore(context: PipelineContext): Promise<void> {
  await Promise.all(
    context.guardedIssuers.configured.map(
      async ({ revocationSnapshot }) => await revocationSnapshot?.restore(),
    ),
  );
  context.restoring = null;
  if (!context.closed) start(context);
}

function start({ guardedIssuers, sharedCache }: PipelineContext): void {
  sharedCache?.startWarmUp(async (answers) => {
    for (const issuer of guardedIssuers.configured) await issuer.sharedCache?.warmUp(answers);
  });
  guardedIssuers.configured.forEach(startGuardedIssuer);
}

function createContext(settings: GuardSettings): PipelineContext {
  const { name: guard, clock, memoryBytes: maxBytes, memoryTtlMs: ttlMs, toleranceMs } = settings;
  const eventCounts = new Counts(["clock_stepped"]);
  const onStep = (stepMs: number) => {
    const direction = stepMs > 0 ? "ahead" : "back";
    const message = `the clock went ${Math.round(Math.abs(stepMs))} ms ${direction}`;
    emit({ guard, issuer: null, eventCounts }, "clock_stepped", message);
  };
  const sharedCache =
    settings.shared && new SharedCache({ ...settings, source: settings.shared, eventCounts });
  return {
    ...settings,
    sharedCache,
    guardedIssuers: new GuardedIssuers(settings, sharedCache),
    clockMonitor: new ClockMonitor(clock, toleranceMs, onStep),
    headerMemo: new HeaderMemo(),
    resultCache: new ResultCache({ maxBytes, ttlMs, toleranceMs, clock }),
    verificationPool: new VerificationPool({}, clock),
    verifications: new SingleFlight(),
    authorityCalls: new Map(),
    unusableAnswers: new UnusableAnswers(clock),
    keyTrials: new KeyTrials(clock),
    eventCounts,
    unknownIssuerDecisions: new DecisionCounts(),
    decisionDurations: new DecisionDurations(clock),
    decisionTracing: settings.tracing && new DecisionTracing(settings.tracing, settings.name),
    restoring: null,
    closed: false,
  };
}
