import { sleep } from "../core/clock.ts";
import { HoldfastError, isHoldfastError } from "../core/errors.ts";
import type { Context } from "./context.ts";
import type { Decided } from "./foundation.ts";
import { identify, normalUsername } from "./identity.ts";
import { beginSession } from "./sessions.ts";
import type { Identity, LoginOutcome, Origin, TokenResponse } from "./types.ts";

export async function login(
  ctx: Context,
  credentials: Readonly<Record<string, unknown>>,
  origin: Origin,
): Promise<Decided<LoginOutcome>> {
  const { username } = credentials;
  const account = typeof username === "string" ? normalUsername(username) : null;
  return await withinLimits(ctx, account, origin, async () => {
    return await openSession(ctx, origin, async () => await identify(ctx, credentials, origin));
  });
}

/**
 * Runs a check of credentials within the limits, for everything that takes a password. `null` from it is a refusal
 * and counts; what kept us from finding out does not.
 */
export async function withinLimits(
  ctx: Context,
  account: string | null,
  origin: Origin,
  check: () => Promise<TokenResponse | null>,
): Promise<Decided<LoginOutcome>> {
  origin.signal?.throwIfAborted();
  const { source } = origin;
  const attempt = ctx.limits.attempt(account, source);
  if (attempt.status === "limited") {
    // Once a window: a flood of attempts must not become a flood of writes.
    if (attempt.first) await ctx.audit("login_limited", { source });
    return { status: "limited", retryAfterMs: attempt.retryAfterMs };
  }
  let tokens: TokenResponse | null;
  try {
    tokens = await check();
  } catch (error) {
    attempt.settle("unknown");
    if (!isHoldfastError(error, "overloaded")) throw error;
    return { status: "limited", retryAfterMs: error.retryAfterMs };
  }
  if (tokens === null) {
    await ctx.audit("login_refused", { source });
    return { status: "denied" };
  }
  attempt.settle("right");
  return { status: "ok", tokens };
}

/**
 * Checks credentials and begins a session. The store's time is read before the check: if the subject's sessions
 * are ended meanwhile (a changed password, say), the check may be out of date and is made once more.
 */
export async function openSession(
  ctx: Context,
  origin: Origin,
  check: () => Promise<Identity | null>,
): Promise<TokenResponse | null> {
  for (let tries = 1; tries <= 2; tries++) {
    const authAt = await ctx.store.now();
    const identity = await check();
    if (identity === null) return null;
    origin.signal?.throwIfAborted();
    const tokens = await beginSession(ctx, identity, authAt, origin);
    if (tokens !== null) {
      const { subject } = identity;
      await ctx.audit("login", { subject, session: tokens.session_id, source: origin.source });
      return tokens;
    }
    // A session that begins in the very millisecond of a cut-off cannot be told from an earlier one.
    await sleep(ctx.clock, 2, origin.signal);
  }
  throw new HoldfastError("timeout", "the user's sessions are being ended again and again");
}
