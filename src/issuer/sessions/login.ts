import { isPrivateAddress } from "../../core/address.ts";
import { HoldfastError, isHoldfastError } from "../../core/errors.ts";
import { loginEvents } from "../../core/operation-channels.ts";
import type { FairPlace } from "../../resilience/fair-bulkhead.ts";
import { narrowAudience } from "../audiences.ts";
import type { IssuerContext } from "../context.ts";
import { reportNewDevice } from "../hooks/new-device.ts";
import type { DefiniteOutcome } from "../issuer-base.ts";
import type { AuthenticatedUser, LoginOutcome, RequestInfo, TokenResponse } from "../types.ts";
import { checkCredentials } from "../users/credentials.ts";
import type { LoginTurn } from "../users/passwords.ts";
import { accountsOf } from "./login-accounts.ts";
import { shortestLifetime } from "./session-lifetime.ts";
import { beginSession, type SessionClient } from "./sessions.ts";

/** The audit event of a login whose proof has begun a session before says this. */
export const PROOF_USED = "the proof of this login has begun a session before";

/** The tokens of a new session. `null` when the credentials are wrong, `used` when their proof has begun a session. */
type BegunSession = TokenResponse | "used" | null;

/** How often credentials are checked when the sessions of the subject are ended during each check. */
const MAX_CHECKS = 3;

export async function login(
  ctx: IssuerContext,
  credentials: Readonly<Record<string, unknown>>,
  requestInfo: RequestInfo,
): Promise<DefiniteOutcome<LoginOutcome>> {
  const isTarget = narrowAudience(ctx.config.audience, requestInfo.resources) !== null;
  if (!isTarget) return { status: "invalid_target" };
  const readAccounts = () => accountsOf(ctx, credentials);
  return await withLoginLimits(ctx, readAccounts, requestInfo, async (turn) => {
    return await checkAndBeginSession(ctx, requestInfo, async () =>
      shortenSession(ctx, credentials, await checkCredentials(ctx, credentials, requestInfo, turn)),
    );
  });
}

/** Applies the wish of the login for a short session. It can shorten what `authenticate` allows, and never lengthen it. */
function shortenSession(
  { config }: IssuerContext,
  { remember }: Readonly<Record<string, unknown>>,
  user: AuthenticatedUser | null,
): AuthenticatedUser | null {
  if (user === null || remember !== false) return user;
  return { ...user, ...shortestLifetime(config.shortSession, user) };
}

/** A limited source in a private network is often a proxy that is not listed. `null` for any other source. */
function proxyHint(source: string | undefined): string | null {
  if (source === undefined || !isPrivateAddress(source)) return null;
  return "the source is in a private network: if it is a proxy, list it in HOLDFAST_TRUSTED_PROXIES or trustedProxies";
}

/**
 * Runs a check of credentials within the login limits. Every endpoint that takes a password uses it. A check that
 * returns `null` counts as a failed attempt. A check that throws does not count, because the credentials may be right. When
 * the client went away, the attempt counts for its source only, because the check may have cost its full time.
 */
export async function withLoginLimits(
  ctx: IssuerContext,
  readAccounts: () => readonly string[],
  requestInfo: RequestInfo,
  check: (turn: LoginTurn) => Promise<BegunSession>,
): Promise<DefiniteOutcome<LoginOutcome>> {
  requestInfo.signal?.throwIfAborted();
  let hashMs = 0;
  const onHashed = (durationMs: number) => {
    hashMs += durationMs;
  };
  return await ctx.counts.time(
    "login",
    async () =>
      await attemptLogin(ctx, readAccounts, requestInfo, async (place) => await check({ place, onHashed })),
    ({ status }) => (status === "denied" ? "refused" : status),
    (outcome, durationMs) => {
      if (!loginEvents.hasSubscribers || outcome === "invalid_target") return;
      loginEvents.publish({ issuer: ctx.config.name, outcome, durationMs, hashMs });
    },
  );
}

async function attemptLogin(
  ctx: IssuerContext,
  readAccounts: () => readonly string[],
  requestInfo: RequestInfo,
  check: (place: FairPlace) => Promise<BegunSession>,
): Promise<DefiniteOutcome<LoginOutcome>> {
  const { source, signal } = requestInfo;
  if (source === undefined) ctx.sourceAlarm.report();
  const attempt = ctx.loginLimits.attempt(readAccounts, source);
  if (attempt.status === "limited") {
    // Only the first refusal of a window is stored, so that a flood of attempts cannot flood the audit log.
    if (attempt.firstInWindow) {
      await ctx.audit("login_limited", { source, detail: proxyHint(source) });
      ctx.hook.notify({ type: "login_limited", source: source ?? null });
    }
    return { status: "limited", retryAfterMs: attempt.retryAfterMs };
  }
  let tokens: BegunSession;
  try {
    tokens = await check(attempt.place);
  } catch (error) {
    attempt.settle(signal?.aborted === true ? "abandoned" : "unchecked");
    // A full pool of password checks is 429. A full `authenticate` is the fault of no client, and 503.
    if (!isHoldfastError(error, "overloaded") || ctx.config.authenticate !== undefined) throw error;
    return { status: "limited", retryAfterMs: error.retryAfterMs };
  }
  if (tokens === null || tokens === "used") {
    // A proof that comes again is no guess: its session may have begun although its login failed.
    attempt.settle(tokens === "used" ? "used" : "wrong");
    await ctx.audit("login_refused", { source, detail: tokens === "used" ? PROOF_USED : null });
    return { status: "denied" };
  }
  attempt.settle("correct");
  return { status: "ok", tokens };
}

/**
 * Checks credentials and begins a session. Reads the mark of the store before the check. A new password, for example,
 * can end the sessions of the subject after that. The check may then be out of date, and is repeated. `client` is left
 * out for a first-party session.
 */
export async function checkAndBeginSession(
  ctx: IssuerContext,
  requestInfo: RequestInfo,
  check: () => Promise<Parameters<typeof beginSession>[1] | null>,
  client?: SessionClient,
): Promise<BegunSession> {
  let [authAt, mark] = await Promise.all([ctx.store.now(), ctx.store.sessions.mark()]);
  for (let tries = 1; tries <= MAX_CHECKS; tries++) {
    const identity = await check();
    if (identity === null) return null;
    requestInfo.signal?.throwIfAborted();
    const begun = await beginSession(ctx, identity, { authAt, mark }, requestInfo, client);
    if (begun.status === "created") {
      const { tokens } = begun;
      const { subject } = identity;
      const facts = { subject, session: tokens.session_id, source: requestInfo.source };
      await ctx.audit("login", facts);
      if (client === undefined) reportNewDevice(ctx, facts);
      return tokens;
    }
    if (begun.status === "used") return "used";
    // The number needs no clock, so a cut-off by a machine whose clock is ahead keeps no user out.
    mark = begun.number;
    authAt = await ctx.store.now();
  }
  throw new HoldfastError("timeout", "the sessions of the user were ended during each check of the login");
}
