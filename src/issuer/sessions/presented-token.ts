import { isLive } from "../../core/session.ts";
import type { IssuerContext } from "../context.ts";
import { verifySessionRecord, type AuthenticSession } from "../store/session-record.ts";
import {
  hasRefreshTokenShape,
  parseAnyRefreshToken,
  parseRefreshToken,
  type RefreshToken,
} from "./refresh-token.ts";

/** Whose refresh token a request may present: of the public client (`null`), also of this client, or of every client. */
export type Presenter = { readonly client: string | null } | "any client";

/**
 * Parses the refresh token of a request. `null` when no secret of the store made it. Rejects with `store_mismatch` when
 * another process has replaced the secret, because this process cannot tell then whose token it is (law 1).
 */
export async function parsePresented(
  ctx: IssuerContext,
  text: string,
  presenter: Presenter,
): Promise<RefreshToken | null> {
  const token =
    presenter === "any client"
      ? parseAnyRefreshToken(ctx, text)
      : parseRefreshToken(ctx.secrets, text, presenter.client);
  if (token === null && hasRefreshTokenShape(text)) await ctx.secretCheck.rejectIfReplaced();
  return token;
}

/**
 * Returns the session of the token. `null` when the token cannot be valid. Rejects as `rejectIfLost` does when the store
 * does not know the session.
 */
export async function findPresented(
  ctx: IssuerContext,
  presented: RefreshToken,
  source: string | undefined,
): Promise<AuthenticSession | null> {
  const record = await ctx.store.sessions.get(presented.session);
  if (record === null) await rejectIfLost(ctx, presented, source);
  return record && (await verifySessionRecord(ctx, record, presented.session));
}

/**
 * Whether a refresh with the token resumes the session: the store has lost the rotation that led to the token (law 8).
 * Everything else that takes a refresh token must agree with that.
 */
export function isAheadOfStore(
  { generation, times }: RefreshToken,
  session: AuthenticSession,
  nowMs: number,
): boolean {
  if (generation <= session.generation || session.endedAt !== null) return false;
  const wasLive = times !== null && nowMs < times.expiresAt && nowMs < session.absoluteExpiresAt;
  return wasLive || isLive(session, nowMs);
}

/** Rejects as `RollbackAlarm.rejectLost` does, unless the token has expired or tells no times. */
export async function rejectIfLost(
  ctx: IssuerContext,
  { session, times }: RefreshToken,
  source: string | undefined,
): Promise<void> {
  if (times === null || times.expiresAt <= ctx.clock.now()) return;
  await ctx.rollbackAlarm.rejectLost(times.issuedAt, { session, source });
}
