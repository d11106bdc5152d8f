import { narrowScope } from "../../core/scopes.ts";
import type { IssuerContext } from "../context.ts";
import type { DefiniteOutcome } from "../issuer-base.ts";
import { findSession, verifySessionRecord } from "../store/session-record.ts";
import type { RequestInfo, RefreshOutcome } from "../types.ts";
import {
  createRefreshToken,
  openSuccessor,
  parseRefreshToken,
  digestRefreshToken,
  sealSuccessor,
} from "./refresh-token.ts";
import { sessionRevocation } from "./sessions.ts";
import { createTokenResponse } from "./token-response.ts";

/**
 * Consecutive generations whose spent token was presented again within grace. From this number on, each refresh is
 * audited: a thief who refreshes in step with the user causes the same pattern.
 */
const MIN_SHADOWED_STREAK = 3;

const invalidGrant = { status: "invalid_grant" } as const;

/**
 * Refreshes with fewer scopes (RFC 6749 §6). `requestedScopes` applies to this access token only. A scope that the
 * session does not have is refused before the refresh token is spent.
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
 * Spends a refresh token (law 8). The signing key is fetched first, and the store decides in one atomic command. After a
 * failure the client can repeat the request: within grace, the same token gets the same successor.
 */
export async function refresh(
  ctx: IssuerContext,
  text: string,
  requestInfo: RequestInfo,
  scopes?: readonly string[],
): Promise<DefiniteOutcome<RefreshOutcome>> {
  const presented = parseRefreshToken(ctx.secrets, text);
  if (presented === null) return invalidGrant;
  const signingKey = await ctx.keys.activeKey();
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
  const facts = { subject: session.subject, session: id, source: requestInfo.source };
  if (outcome === "reuse") {
    await ctx.audit("refresh_reuse", { ...facts, detail: `generation ${generation}` });
    return invalidGrant;
  }
  // A repeated token gets the successor that an earlier call created and sealed for it.
  const successor =
    outcome === "rotated" ? candidate : openSuccessor(ctx.secrets, presented, rotation.sealedSuccessor);
  if (successor === null) {
    await ctx.audit("record_tampered", { ...facts, detail: "successor" });
    return invalidGrant;
  }
  if (outcome === "rotated" && session.graceStreak >= MIN_SHADOWED_STREAK) {
    await ctx.audit("refresh_shadowed", { ...facts, detail: `streak ${session.graceStreak}` });
  }
  return { status: "ok", tokens: createTokenResponse(ctx, signingKey, session, successor, scopes) };
}
