import { invalidOption } from "../core/options.ts";
import type { JwtClaims } from "../core/verdict.ts";
import { HeaderMemo } from "../jwt/parse.ts";
import { VerificationPool } from "../jwt/verification-pool.ts";
import { SingleFlight } from "../resilience/single-flight.ts";
import { createAdmit } from "./pipeline/admission.ts";
import type { PipelineContext } from "./pipeline/context.ts";
import { createAuthorize } from "./pipeline/authorize.ts";
import { ResultCache } from "./pipeline/result-cache.ts";
import { ready } from "./ready.ts";
import { openGuardedIssuer, GuardedIssuers } from "./issuers/guarded-issuer.ts";
import { emit } from "./emit.ts";
import { readGuardSettings, type GuardSettings } from "./settings.ts";
import { SharedCache } from "./shared/shared-cache.ts";
import { guardStatus } from "./status.ts";
import { ClockMonitor } from "./pipeline/clock-monitor.ts";
import type { Guard, GuardOptions } from "./types.ts";

/**
 * A guard for the tokens of one issuer, or of several. Options are read once; throws `invalid_option`, `missing_method`
 * or `invalid_key`, naming what is wrong. Follows revocations and probes authorities from now on, so `close` it.
 *
 * ```ts
 * const guard = createGuard({
 *   issuer: "https://id.example.com",
 *   audience: "https://api.example.com",
 *   authority: introspection({ url: "https://id.example.com/introspect", clientId: "api", clientSecret }),
 *   degraded: "local",
 * });
 * const verdict = await guard.validate(token);
 * ```
 */
export function createGuard<C = JwtClaims>(options: GuardOptions): Guard<C> {
  const context = createContext(readGuardSettings(options));
  const { guardedIssuers } = context;
  if (context.snapshots === undefined) start(context);
  else context.restoring = restore(context);
  const authorize = createAuthorize<C>(context);
  const closing = new AbortController();
  return {
    name: context.name,
    // Without rules nothing is forbidden.
    validate: authorize as Guard<C>["validate"],
    authorize,
    admit: createAdmit<C>(context),
    watch: (listener) => {
      // A listener of its own each time, so that one who watches twice can end either.
      const ends = guardedIssuers.all.map(({ revocationView }) => revocationView.subscribe(() => listener()));
      return () => ends.forEach((end) => end());
    },
    status: () => guardStatus(context),
    ready: async (call = {}) => await ready(context, call, closing.signal),
    distrustKeys: (issuer) => guardedIssuers.getByName(issuer).keyring.distrust(),
    forceBreaker: (state, issuer) => {
      const { authority } = guardedIssuers.getByName(issuer);
      if (authority === undefined) throw invalidOption("issuer", "one with an authority", issuer);
      authority.force(state);
    },
    close: async () => {
      context.closed = true;
      closing.abort();
      for (const { revocationFollower, authority } of guardedIssuers.all) {
        revocationFollower?.close();
        authority?.close();
      }
      await Promise.all([
        context.sharedCache?.close(),
        ...guardedIssuers.all.flatMap(({ keyring, revocationSnapshot }) => [
          keyring.close(),
          revocationSnapshot?.close(),
        ]),
      ]);
    },
  };
}

/** What earlier runs knew comes first. */
async function restore(context: PipelineContext): Promise<void> {
  await Promise.all(
    context.guardedIssuers.all.map(async ({ revocationSnapshot }) => await revocationSnapshot?.restore()),
  );
  context.restoring = null;
  if (!context.closed) start(context);
}

function start({ guardedIssuers, sharedCache }: PipelineContext): void {
  sharedCache?.startWarmUp(async (answers) => {
    for (const issuer of guardedIssuers.all) await issuer.sharedCache?.warmUp(answers);
  });
  for (const { revocationFollower, authority } of guardedIssuers.all) {
    revocationFollower?.start();
    authority?.start();
  }
}

function createContext(settings: GuardSettings): PipelineContext {
  const { name: guard, clock, memoryBytes: maxBytes, memoryTtlMs: ttlMs, toleranceMs } = settings;
  const onStep = (stepMs: number) => {
    const way = stepMs > 0 ? "ahead" : "back";
    const message = `the clock went ${Math.round(Math.abs(stepMs))} ms ${way}`;
    emit({ guard, issuer: null }, "clock_stepped", message);
  };
  const sharedCache = settings.shared && new SharedCache({ ...settings, source: settings.shared });
  return {
    ...settings,
    sharedCache,
    guardedIssuers: new GuardedIssuers(
      settings.issuers.map((issuer) => openGuardedIssuer(settings, issuer, sharedCache)),
    ),
    clockMonitor: new ClockMonitor(clock, onStep),
    headerMemo: new HeaderMemo(),
    resultCache: new ResultCache({ maxBytes, ttlMs, toleranceMs, clock }),
    verificationPool: new VerificationPool(),
    verifications: new SingleFlight(),
    authorityCalls: new Map(),
    restoring: null,
    closed: false,
  };
}
