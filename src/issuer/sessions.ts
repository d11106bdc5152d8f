import type { EndReason, SessionRecord } from "../stores/contracts.ts";
import { acceptedForMs, type Context } from "./context.ts";
import { makeRefreshToken, refreshTokenDigest, type RefreshToken } from "./refresh-token.ts";
import { newSessionFacts, provenSession, tokenResponse, type ProvenSession } from "./tokens.ts";
import type { Identity, Origin, TokenResponse } from "./types.ts";

/** `null` when the subject's sessions were ended since `authAt`: the credentials must be checked once more. */
export async function beginSession(
  ctx: Context,
  identity: Identity,
  authAt: number,
  origin: Origin,
): Promise<TokenResponse | null> {
  const signer = await ctx.keys.signer();
  const facts = newSessionFacts(ctx, identity, authAt, origin.device);
  const refresh = makeRefreshToken(ctx.secrets[0], facts.id, 1);
  const created = await ctx.store.sessions.create({
    ...facts,
    currentDigest: refreshTokenDigest(refresh),
    idleMs: ctx.config.refreshIdleMs,
  });
  if (created.status === "superseded") return null;
  const session = await provenSession(ctx, created.session, facts.id);
  return session === null ? null : tokenResponse(ctx, signer, session, refresh);
}

export function sessionRevocation(
  ctx: Context,
  id: string,
): { kind: "session"; id: string; issuer: string; until: number } {
  return { kind: "session", id, issuer: ctx.config.url, until: ctx.clock.now() + acceptedForMs(ctx.config) };
}

/** Durable when it resolves (law 12). An ended or unknown session is ended again. */
export async function endSession(
  ctx: Context,
  id: string,
  reason: EndReason,
  about: { subject?: string | null; source?: string | null } = {},
): Promise<void> {
  await ctx.store.sessions.end(id, reason, sessionRevocation(ctx, id));
  await ctx.record.audit("session_ended", { ...about, session: id, detail: reason });
}

export async function endSubject(
  ctx: Context,
  subject: string,
  reason: EndReason,
  source: string | null = null,
): Promise<void> {
  const until = ctx.clock.now() + acceptedForMs(ctx.config);
  const ended = await ctx.store.sessions.endAll(subject, reason, { issuer: ctx.config.url, until });
  await ctx.record.audit("subject_ended", { subject, source, detail: `${reason}, sessions: ${ended}` });
}

export function isLive(session: SessionRecord, nowMs: number): boolean {
  return session.endedAt === null && nowMs < Math.min(session.idleExpiresAt, session.absoluteExpiresAt);
}

export async function liveSessions(ctx: Context, subject: string): Promise<readonly ProvenSession[]> {
  const records = await ctx.store.sessions.listBySubject(subject);
  const proven = await Promise.all(records.map(async (one) => await provenSession(ctx, one, one.id)));
  return proven.filter((one) => one !== null && one.subject === subject) as ProvenSession[];
}

/** The session that a refresh token with a good MAC belongs to, and whether that token still counts for it. */
export async function sessionOfToken(
  ctx: Context,
  token: RefreshToken,
): Promise<{ session: ProvenSession; current: boolean } | null> {
  const record = await ctx.store.sessions.get(token.session);
  const session = record && (await provenSession(ctx, record, token.session));
  if (session === null) return null;
  const known = [session.currentDigest, session.previousDigest].includes(refreshTokenDigest(token));
  return { session, current: known && isLive(session, ctx.clock.now()) };
}
