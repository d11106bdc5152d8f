import type { Context } from "./context.ts";
import type { Decided } from "./foundation.ts";
import {
  makeRefreshToken,
  openSuccessor,
  readRefreshToken,
  refreshTokenDigest,
  sealSuccessor,
} from "./refresh-token.ts";
import { narrowed } from "./scopes.ts";
import { findSession, provenSession } from "./session-record.ts";
import { sessionRevocation } from "./sessions.ts";
import { tokenResponse } from "./tokens.ts";
import type { Origin, RefreshOutcome } from "./types.ts";

/** From so many generations in a row, whose spent token came back within grace, it is worth an auditor's look. */
const SHADOWED_FROM = 3;

const invalidGrant = { status: "invalid_grant" } as const;

/**
 * `asked` narrows the scopes of this access token, and only of this one; more than the session has is refused before
 * anything is spent (RFC 6749 §6).
 */
export async function refreshNarrowed(
  ctx: Context,
  text: string,
  origin: Origin,
  asked: readonly string[] | undefined,
): Promise<Decided<RefreshOutcome> | { readonly status: "invalid_scope" }> {
  if (asked === undefined) return await refresh(ctx, text, origin);
  const presented = readRefreshToken(ctx.secrets, text);
  const session = presented && (await findSession(ctx, presented.session));
  if (session === null) return invalidGrant;
  const scopes = narrowed(session.content.scopes, asked);
  return scopes === null ? { status: "invalid_scope" } : await refresh(ctx, text, origin, scopes);
}

/**
 * Spends a refresh token (law 8). The signer is fetched first and the store decides in one atomic command, so
 * whatever fails on the way leaves the token usable: repeated within grace, it gets the same successor.
 */
export async function refresh(
  ctx: Context,
  text: string,
  origin: Origin,
  scopes?: readonly string[],
): Promise<Decided<RefreshOutcome>> {
  const presented = readRefreshToken(ctx.secrets, text);
  if (presented === null) return invalidGrant;
  const signer = await ctx.keys.signer();
  origin.signal?.throwIfAborted();
  const { session: id, generation } = presented;
  const candidate = makeRefreshToken(ctx.secrets[0], id, generation + 1);
  const rotation = await ctx.store.sessions.rotate({
    sessionId: id,
    generation,
    presentedDigest: refreshTokenDigest(presented),
    successorDigest: refreshTokenDigest(candidate),
    sealedSuccessor: sealSuccessor(presented, candidate),
    idleMs: ctx.config.refreshIdleMs,
    graceMs: ctx.config.graceMs,
    onReuse: sessionRevocation(ctx, id),
  });
  const { outcome } = rotation;
  if (outcome === "unknown") return invalidGrant;
  const session = await provenSession(ctx, rotation.session, id);
  if (session === null || outcome === "ended") return invalidGrant;
  if (outcome === "conflict") return { status: "refresh_conflict" };
  const about = { subject: session.subject, session: id, source: origin.source };
  if (outcome === "reuse") {
    await ctx.audit("refresh_reuse", { ...about, detail: `generation ${generation}` });
    return invalidGrant;
  }
  // The one successor: ours if we made it, else the one that another call made and sealed for the same token.
  const successor =
    outcome === "rotated" ? candidate : openSuccessor(ctx.secrets, presented, rotation.sealedSuccessor);
  if (successor === null) {
    await ctx.audit("record_tampered", { ...about, detail: "successor" });
    return invalidGrant;
  }
  if (outcome === "rotated" && session.graceStreak >= SHADOWED_FROM) {
    await ctx.audit("refresh_shadowed", { ...about, detail: `streak ${session.graceStreak}` });
  }
  return { status: "ok", tokens: tokenResponse(ctx, signer, session, successor, scopes) };
}
