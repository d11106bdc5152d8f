import { reportDamaged } from "./store/damaged-sessions.ts";
import { isHoldfastError } from "../core/errors.ts";
import { requireRuntime } from "../core/runtime-floor.ts";
import { AcceptancePeriod } from "./acceptance.ts";
import { readIssuerOptions } from "./config.ts";
import type { IssuerContext } from "./context.ts";
import { ClientAttempts } from "./endpoints/client-attempts.ts";
import { createFetchHandler, servedPaths } from "./endpoints/app.ts";
import { EventHook } from "./hooks/event-hook.ts";
import { createEventRecorder } from "./issuer-base.ts";
import { SigningKeys } from "./keys/signing-keys.ts";
import { IssuerLifecycle } from "./lifecycle.ts";
import { IssuerCounts } from "./metrics/issuer-counts.ts";
import { issuerMetrics } from "./metrics/issuer-metrics.ts";
import { LongPoll } from "./revocations/long-poll.ts";
import { RevocationCache } from "./revocations/revocation-cache.ts";
import { AccessTokenChecker } from "./sessions/access-token-check.ts";
import { ArrivalSigns } from "./sessions/arrival-signs.ts";
import { LoginLimits } from "./sessions/login-limits.ts";
import { beginSessionOf, requireUser } from "./sessions/begin.ts";
import { login } from "./sessions/login.ts";
import { PresentedEnds } from "./sessions/presented-ends.ts";
import { acknowledge, refresh } from "./sessions/refresh.ts";
import { checkRevocationId, revoke } from "./sessions/revoke.ts";
import { RollbackAlarm } from "./sessions/rollback-alarm.ts";
import { SourceAlarm } from "./sessions/source-alarm.ts";
import { SharedAttempts } from "./sessions/shared-attempts.ts";
import { sessionsOf } from "./sessions/sessions-api.ts";
import { endSession } from "./sessions/sessions.ts";
import { TokensAfterStep } from "./sessions/tokens-after-step.ts";
import { openCheckedStore } from "./store/checked-store.ts";
import { StoreOutage } from "./store/store-outage.ts";
import { forgetSecrets, SecretCheck } from "./store/secret-marker.ts";
import { StoreTime } from "./store/store-time.ts";
import type { AuthenticatedUser, Issuer, IssuerOptions, IssuerStatus, RequestInfo } from "./types.ts";
import { AuthenticateCalls } from "./users/authenticate-calls.ts";
import { PasswordRehash } from "./users/password-rehash.ts";
import { PasswordHasher } from "./users/passwords.ts";
import { usersOf } from "./users/users-api.ts";

/**
 * Creates an issuer of first-party sessions. Its access tokens are JWTs (RFC 9068) that any service can verify with the
 * published keys. The store is opened on first use; `ready()` opens it early. Throws `invalid_option` or
 * `missing_method`.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import { createIssuer } from "holdfast/issuer";
 * import { mountIssuer } from "holdfast/node-http";
 * import { sqliteStore } from "holdfast/sqlite";
 *
 * const issuer = createIssuer({
 *   url: "https://id.example.com",
 *   audience: "https://api.example.com",
 *   store: await sqliteStore({ file: "./data/holdfast.db" }),
 *   secret: process.env["HOLDFAST_SECRET"] ?? "",
 * });
 * await issuer.ready();
 *
 * createServer(mountIssuer(issuer)).listen(4180);
 * ```
 */
export function createIssuer(options: IssuerOptions): Issuer {
  requireRuntime();
  const { ctx, random, storeHealth } = createParts(options);
  const { config, keys, store } = ctx;
  const lifecycle = new IssuerLifecycle(ctx, random);
  const afterReady = lifecycle.afterReady.bind(lifecycle);
  const ready = async () => await lifecycle.ready();
  const begin = catchUnavailable(
    afterReady(async (user: AuthenticatedUser, info: RequestInfo) => await beginSessionOf(ctx, user, info)),
  );
  return {
    name: config.name,
    paths: servedPaths(ctx),
    fetch: createFetchHandler(ctx, ready),
    login: catchUnavailable(
      afterReady(async (credentials, requestInfo = {}) => await login(ctx, credentials, requestInfo)),
    ),
    beginSession: async (user, requestInfo = {}) => await begin(requireUser(ctx, user), requestInfo),
    refresh: catchUnavailable(
      afterReady(async (token, requestInfo = {}) => await refresh(ctx, token, requestInfo)),
    ),
    acknowledge: catchUnavailable(afterReady(async (token) => await acknowledge(ctx, token))),
    endSession: afterReady(async (id, reason = "revoked") => {
      checkRevocationId(id);
      await endSession(ctx, id, reason);
    }),
    revoke: afterReady(async (request, by) => await revoke(ctx, request, by)),
    revocations: {
      ...store.revocations,
      tokenAccepted: (claims) => ctx.arrivals.recordAccessToken(claims),
      isIssuedAfterStep: (claims) => ctx.tokensAfterStep.has(claims),
    },
    sessions: sessionsOf(ctx, afterReady),
    users: usersOf(ctx, afterReady),
    keys: {
      list: afterReady(async () => {
        await keys.reload();
        return keys.list();
      }),
      rotate: afterReady(async (by) => await keys.rotate("by hand", by)),
    },
    status: () => ({
      name: config.name,
      url: config.url,
      store: {
        description: store.description,
        ...storeHealth(),
        unknownSecret: ctx.secretCheck.problem,
        clockDifferenceMs: ctx.storeTime.differenceMs,
      },
      sessions: { damaged: ctx.counts.damagedSessions, lost: ctx.counts.lostSessions },
      keys: keys.list(),
    }),
    metrics: () => issuerMetrics(ctx, storeHealth()),
    forgetSecrets: afterReady(async () => await forgetSecrets(ctx)),
    ready,
    close: async () => {
      lifecycle.close();
      await ctx.rehash.finished();
    },
  };
}

interface IssuerParts {
  readonly ctx: IssuerContext;
  readonly random: () => number;
  readonly storeHealth: () => Omit<
    IssuerStatus["store"],
    "description" | "unknownSecret" | "clockDifferenceMs"
  >;
}

/** Checks every option, then makes the parts of the issuer. Reads nothing from the store. */
function createParts(options: IssuerOptions): IssuerParts {
  const { config, secret: secrets, clock, random, entropy, store: givenStore } = readIssuerOptions(options);
  const counts = new IssuerCounts(clock, config);
  const recorder = createEventRecorder(config.name, clock, counts, () => store);
  const outage = new StoreOutage(clock, {
    onFailure: (message) => recorder.emit("store_failed", message),
    onRestored: (failedMs, answeredMs) =>
      recorder.emit(
        "store_restored",
        `the store answers again: it failed for ${Math.round(failedMs / 1_000)} s, and has answered for ${Math.round(answeredMs / 1_000)} s since`,
      ),
  });
  const { store, health: storeHealth } = openCheckedStore(givenStore, {
    clock,
    counts,
    outage,
    onDamaged: reportDamaged(recorder, counts, clock),
    tracing: config.tracing,
  });
  const parts = { config, secrets, store, clock, entropy, counts, ...recorder };
  const base = {
    ...parts,
    acceptance: new AcceptancePeriod(parts),
    storeTime: new StoreTime(parts),
    tokensAfterStep: new TokensAfterStep(clock),
  };
  const revocations = new RevocationCache(base);
  const keys = new SigningKeys(base, revocations);
  const passwords = new PasswordHasher(clock, entropy);
  const arrivals = new ArrivalSigns(base);
  const sharedAttempts = new SharedAttempts(base);
  const rollbackAlarm = new RollbackAlarm(base);
  const ctx: IssuerContext = {
    ...base,
    keys,
    arrivals,
    accessTokens: new AccessTokenChecker(base, { keys, revocations, arrivals, rollbackAlarm }),
    rollbackAlarm,
    passwords,
    authenticateCalls: new AuthenticateCalls(base, config.maxAuthenticateCalls),
    rehash: new PasswordRehash(base, passwords),
    loginLimits: new LoginLimits(clock, sharedAttempts, entropy),
    sharedAttempts,
    sourceAlarm: new SourceAlarm(base),
    secretCheck: new SecretCheck(base),
    clientAttempts: new ClientAttempts(clock),
    presentedEnds: new PresentedEnds(base),
    longPoll: new LongPoll(base),
    hook: new EventHook(config.onEvent, clock, recorder.emit),
  };
  return { ctx, random, storeHealth };
}

/** Law 1: a failure says nothing about the token or the credentials. Errors that are not `HoldfastError` are thrown on. */
function catchUnavailable<A extends unknown[], R>(
  work: (...args: A) => Promise<R>,
): (...args: A) => Promise<R | { status: "unavailable"; retryAfterMs: number }> {
  return async (...args) => {
    try {
      return await work(...args);
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      return { status: "unavailable", retryAfterMs: error.retryAfterMs || 1000 };
    }
  };
}
