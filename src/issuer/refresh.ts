import type { RotationOutcome } from "../stores/contracts.ts";
import { unlessUnavailable, type Context } from "./context.ts";
import {
  makeRefreshToken,
  openSuccessor,
  readRefreshToken,
  refreshTokenDigest,
  sealSuccessor,
  type RefreshToken,
} from "./refresh-token.ts";
import { sessionRevocation } from "./sessions.ts";
import { provenSession, tokenResponse } from "./tokens.ts";
import type { Origin, RefreshOutcome } from "./types.ts";

/** From so many generations in a row, whose spent token came back within grace, it is worth an auditor's look. */
const SHADOWED_FROM = 3;

const invalidGrant: RefreshOutcome = { status: "invalid_grant" };

/**
 * Spends a refresh token (law 8). The signer is fetched first and the store decides in one atomic command, so
 * whatever fails on the way leaves the token usable: repeated within grace, it gets the same successor.
 */
export async function refresh(ctx: Context, text: string, origin: Origin): Promise<RefreshOutcome> {
  origin.signal?.throwIfAborted();
  const presented = readRefreshToken(ctx.secrets, text);
  if (presented === null) return invalidGrant;
  return await unlessUnavailable(async () => {
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
    if (rotation.outcome === "unknown") return invalidGrant;
    const session = await provenSession(ctx, rotation.session, id);
    if (session === null) return invalidGrant;
    const about = { subject: session.subject, session: id, source: origin.source ?? null };
    if (rotation.outcome === "ended") return invalidGrant;
    if (rotation.outcome === "conflict") return { status: "refresh_conflict" };
    if (rotation.outcome === "reuse") {
      await ctx.record.audit("refresh_reuse", { ...about, detail: `generation ${generation}` });
      return invalidGrant;
    }
    const successor = successorOf(ctx, rotation, presented, candidate);
    if (successor === null) {
      await ctx.record.audit("record_tampered", { ...about, detail: "successor" });
      return invalidGrant;
    }
    if (rotation.outcome === "rotated" && session.graceStreak >= SHADOWED_FROM) {
      await ctx.record.audit("refresh_shadowed", { ...about, detail: `streak ${session.graceStreak}` });
    }
    return { status: "ok", tokens: tokenResponse(ctx, signer, session, successor) };
  });
}

/** The one successor: ours if we made it, else the one that another call made and sealed for the same token. */
function successorOf(
  ctx: Context,
  rotation: RotationOutcome,
  presented: RefreshToken,
  candidate: RefreshToken,
): RefreshToken | null {
  if (rotation.outcome !== "repeated") return candidate;
  const opened = openSuccessor(ctx.secrets, presented, rotation.sealedSuccessor);
  return opened?.session === presented.session && opened.generation === candidate.generation ? opened : null;
}
