import type { IssuerContext } from "../context.ts";
import type { DefiniteOutcome } from "../issuer-base.ts";
import {
  createRefreshToken,
  openSuccessor,
  parseRefreshToken,
  digestRefreshToken,
  sealSuccessor,
} from "./refresh-token.ts";
import { narrowScope } from "../../core/scopes.ts";
import { findSession, verifySessionRecord } from "../store/session-record.ts";
import { sessionRevocation } from "./sessions.ts";
import { createTokenResponse } from "./token-response.ts";
import type { RequestInfo, RefreshOutcome } from "../types.ts";

/** From so many generations in a row, whose spent token came back within grace, it is worth an auditor's look. */
const MIN_SHADOWED_STREAK = 3;

const invalidGrant = { status: "invalid_grant" } as const;

/**
 * `asked` narrows the scopes of this access token, and only of this one; more than the session has is refused before
 * anything is spent (RFC 6749 §6).
 */
export async function refreshWithScopes(
  ctx: IssuerContext,
  text: string,
  requestInfo: RequestInfo,
  requestedScopes: readonly string[] | undefined,
): Promise<DefiniteOutcome<RefreshOutcome> | { readonly status: "invalid_scope" }> {
  if (requestedScopes === undefined) return await refresh(ctx, text, requestInfo);
  const presented = parseRefreshToken(ctx.secrets, text);
  const session = presented && (await findSession(ctx, presented.session));
  if (session === null) return invalidGrant;
  const scopes = narrowScope(session.content.scopes, requestedScopes);
  return scopes === null ? { status: "invalid_scope" } : await refresh(ctx, text, requestInfo, scopes);
}

/**
 * Spends a refresh token (law 8). The signer is fetched first and the store decides in one atomic command, so
 * whatever fails on the way leaves the token usable: repeated within grace, it gets the same successor.
 */
export async function refresh(
  ctx: IssuerContext,
  text: string,
  requestInfo: RequestInfo,
  scopes?: readonly string[],
): Promise<DefiniteOutcome<RefreshOutcome>> {
  const presented = parseRefreshToken(ctx.secrets, text);
  if (presented === null) return invalidGrant;
  const signer = await ctx.keys.signer();
  requestInfo.signal?.throwIfAborted();
  const { session: id, generation } = presented;
  const candidate = createRefreshToken(ctx.secrets[0], id, generation + 1);
  const rotation = await ctx.store.sessions.rotate({
    sessionId: id,
    generation,
    presentedDigest: digestRefreshToken(presented),
    successorDigest: digestRefreshToken(candidate),
    sealedSuccessor: sealSuccessor(presented, candidate),
    idleMs: ctx.config.refreshIdleMs,
    graceMs: ctx.config.graceMs,
    onReuse: sessionRevocation(ctx, id),
  });
  const { outcome } = rotation;
  if (outcome === "unknown") return invalidGrant;
  const session = await verifySessionRecord(ctx, rotation.session, id);
  if (session === null || outcome === "ended") return invalidGrant;
  if (outcome === "conflict") return { status: "refresh_conflict" };
  const about = { subject: session.subject, session: id, source: requestInfo.source };
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
  if (outcome === "rotated" && session.graceStreak >= MIN_SHADOWED_STREAK) {
    await ctx.audit("refresh_shadowed", { ...about, detail: `streak ${session.graceStreak}` });
  }
  return { status: "ok", tokens: createTokenResponse(ctx, signer, session, successor, scopes) };
}
