import type { EndReason, Rotation } from "../stores/contracts.ts";
import { FIRST_PARTY } from "./config.ts";
import type { Context } from "./context.ts";
import { acceptedForMs } from "./foundation.ts";
import { signSession } from "./records.ts";
import { makeRefreshToken, newSessionId, refreshTokenDigest } from "./refresh-token.ts";
import { provenSession, type ProvenSession, type SessionContent } from "./session-record.ts";
import { tokenResponse } from "./tokens.ts";
import type { Identity, Origin, TokenResponse } from "./types.ts";

const DEVICE_CHARS = 256;

/** `null` when the subject's sessions were ended since `authAt`: the credentials must be checked once more. */
export async function beginSession(
  ctx: Context,
  { subject, scopes, claims = {} }: Identity,
  authAt: number,
  origin: Origin,
): Promise<TokenResponse | null> {
  const signer = await ctx.keys.signer();
  const device = origin.device?.slice(0, DEVICE_CHARS) ?? null;
  const content: SessionContent = { scopes, claims, client: FIRST_PARTY, device };
  const id = newSessionId();
  const refresh = makeRefreshToken(ctx.secrets[0], id, 1);
  const absoluteExpiresAt = authAt + ctx.config.refreshAbsoluteMs;
  const facts = { id, subject, authAt, absoluteExpiresAt, facts: JSON.stringify(content) };
  const created = await ctx.store.sessions.create({
    ...signSession(ctx.secrets, facts),
    currentDigest: refreshTokenDigest(refresh),
    idleMs: ctx.config.refreshIdleMs,
  });
  if (created.status === "superseded") return null;
  const session = await provenSession(ctx, created.session, id);
  return session && tokenResponse(ctx, signer, session, refresh);
}

export function sessionRevocation(ctx: Context, id: string): Rotation["onReuse"] {
  return { kind: "session", id, issuer: ctx.config.url, until: ctx.clock.now() + acceptedForMs(ctx.config) };
}

/** Durable when it resolves (law 12). An ended or unknown session is ended again. */
export async function endSession(
  ctx: Context,
  id: string,
  reason: EndReason,
  about: { subject?: string; source?: string | undefined } = {},
): Promise<void> {
  await ctx.store.sessions.end(id, reason, sessionRevocation(ctx, id));
  await ctx.audit("session_ended", { ...about, session: id, detail: reason });
}

export async function endSubject(
  ctx: Context,
  subject: string,
  reason: EndReason,
  source?: string,
): Promise<void> {
  const until = ctx.clock.now() + acceptedForMs(ctx.config);
  const ended = await ctx.store.sessions.endAll(subject, reason, { issuer: ctx.config.url, until });
  await ctx.audit("subject_ended", { subject, source, detail: `${reason}, sessions: ${ended}` });
}

export async function liveSessions(ctx: Context, subject: string): Promise<readonly ProvenSession[]> {
  const records = await ctx.store.sessions.listBySubject(subject);
  const proven = await Promise.all(records.map(async (one) => await provenSession(ctx, one, one.id)));
  return proven.filter((one) => one?.subject === subject) as ProvenSession[];
}
