import { HoldfastError } from "../../core/errors.ts";
import { refreshEvents } from "../../core/operation-channels.ts";
import type { RefreshEvent } from "../../core/operation-events.ts";
import { isLive } from "../../core/session.ts";
import type { SigningKey } from "../../jwt/sign.ts";
import type { RotationOutcome } from "../../stores/session-store.ts";
import type { IssuerContext } from "../context.ts";
import type { DefiniteOutcome } from "../issuer-base.ts";
import { verifySessionRecord, type AuthenticSession, type SessionContent } from "../store/session-record.ts";
import { rejectIfSecretReplaced } from "../store/secret-marker.ts";
import type { AcknowledgeOutcome, RequestInfo, RefreshOutcome } from "../types.ts";
import {
  createRefreshToken,
  openSuccessor,
  digestRefreshToken,
  sealSuccessor,
  type RefreshToken,
  type RefreshTokenLifetime,
} from "./refresh-token.ts";
import { findPresented, parsePresented, rejectIfLost } from "./presented-token.ts";
import { isNarrowing, narrowGrant, sessionGrant, type Grant, type GrantRequest } from "./grant.ts";
import { areRightsLive, renewSession } from "./rights.ts";
import { sessionRevocation } from "./sessions.ts";
import { createAccessToken, createTokenResponse } from "./token-response.ts";

/**
 * Consecutive generations whose spent token got its successor again. From this number on, each refresh is audited: a
 * thief who refreshes in step with the user causes the same pattern.
 */
const MIN_SHADOWED_STREAK = 3;

const invalidGrant = { status: "invalid_grant" } as const;

/** Refreshes for the audiences that the caller names, with all scopes of the session. */
export async function refresh(
  ctx: IssuerContext,
  text: string,
  requestInfo: RequestInfo,
): Promise<DefiniteOutcome<RefreshOutcome>> {
  const outcome = await refreshNarrowed(ctx, text, requestInfo, { resources: requestInfo.resources });
  return outcome.status === "invalid_scope" ? invalidGrant : outcome;
}

/**
 * Spends a refresh token (law 8). The rights of the user and the signing key are fetched first, and the store decides in
 * one atomic command. After a failure the client can repeat the request: until its successor arrived, the same token gets
 * the same successor. The request for fewer scopes (RFC 6749 §6) or audiences (RFC 8707 §2.2) applies to this access token
 * only. What the session does not have now is refused before a valid refresh token is spent. `client` is the authenticated
 * client, and `null` is the public one.
 */
export async function refreshNarrowed(
  ctx: IssuerContext,
  text: string,
  requestInfo: RequestInfo,
  request: ClientGrantRequest,
): Promise<DefiniteOutcome<RefreshOutcome> | { readonly status: "invalid_scope" }> {
  const { counts } = ctx;
  let rotation: RotationOutcome | null = null;
  const onRotated = (rotated: RotationOutcome) => {
    rotation = rotated;
    if (rotated.outcome === "repeated") counts.repeatDelays.record(rotated.behindMs / 1_000);
  };
  return await counts.time(
    "refresh",
    async () => await spend(ctx, { text, request, onRotated }, requestInfo),
    // A token that is malformed or not authentic reaches no session.
    ({ status }) => rotation?.outcome ?? status,
    (outcome, durationMs) => publishRefresh(ctx, { rotation, outcome, durationMs }),
  );
}

/** Publishes a refresh whose token reached a session, or may have reached one. */
function publishRefresh(
  { config }: IssuerContext,
  done: { readonly rotation: RotationOutcome | null; readonly outcome: string; readonly durationMs: number },
): void {
  const { rotation, durationMs } = done;
  const outcome: RefreshEvent["outcome"] | undefined =
    done.outcome === "unavailable" ? done.outcome : rotation?.outcome;
  if (outcome === undefined || !refreshEvents.hasSubscribers) return;
  const behindMs = rotation?.outcome === "repeated" && outcome === "repeated" ? rotation.behindMs : null;
  refreshEvents.publish({ issuer: config.name, outcome, behindMs, durationMs });
}

async function spend(
  ctx: IssuerContext,
  { text, request: { client = null, ...request }, onRotated }: SpendCall,
  requestInfo: RequestInfo,
): Promise<DefiniteOutcome<RefreshOutcome> | { readonly status: "invalid_scope" }> {
  const presented = await parsePresented(ctx, text, { client });
  if (presented === null) return invalidGrant;
  const found = await findRights(ctx, presented, requestInfo, request);
  if ("status" in found) return found;
  const signingKey = await ctx.keys.activeKey();
  checkNextAccessToken(ctx, signingKey, presented, found);
  const lifetime = presented.times ?? (await ctx.store.sessions.get(presented.session));
  // A token without times is from an older version, and does not prove that its session still exists.
  if (lifetime === null) return invalidGrant;
  requestInfo.signal?.throwIfAborted();
  const candidate = createSuccessor(ctx, presented, lifetime);
  const rotation = await ctx.store.sessions.rotate({
    sessionId: presented.session,
    generation: presented.generation,
    presentedDigest: digestRefreshToken(presented),
    issuedAt: presented.times?.issuedAt ?? null,
    expiresAt: presented.times?.expiresAt ?? null,
    successorDigest: digestRefreshToken(candidate),
    sealedSuccessor: sealSuccessor(presented, candidate, ctx.entropy),
    lostAnswerMs: ctx.config.lostAnswerMs,
    conflictMs: ctx.config.conflictMs,
    onReuse: await sessionRevocation(ctx, presented.session),
  });
  onRotated(rotation);
  if (rotation.outcome === "unknown") {
    await rejectIfLost(ctx, presented, requestInfo.source);
    return invalidGrant;
  }
  const session = await verifySessionRecord(ctx, rotation.session, presented.session);
  if (session === null) return invalidGrant;
  const facts = { subject: session.subject, session: session.id, source: requestInfo.source };
  const decided = await decideAnswer(ctx, { presented, candidate, rotation, facts });
  if (decided.status !== "ok") return decided;
  if (found.isRefused === true) throw new HoldfastError("store_unavailable", "the store went back meanwhile");
  const current = { ...session, content: found.content ?? session.content };
  const tokens = createTokenResponse(ctx, signingKey, current, decided.successor, found.grant);
  return { status: "ok", tokens };
}

interface ClientGrantRequest extends GrantRequest {
  readonly client?: string | null;
}

interface SpendCall {
  readonly text: string;
  readonly request: ClientGrantRequest;
  /** Called with the decision of the store. */
  readonly onRotated: (rotation: RotationOutcome) => void;
}

interface FoundRights {
  /** The session, where it was read. */
  readonly standing?: AuthenticSession;
  /** The rights that the user has now. Left out when they are those of the session. */
  readonly content?: SessionContent;
  /** The grant that was requested. Left out when the request names none. */
  readonly grant?: Grant;
  /** Set when the store refuses the token whatever the request asks for. */
  readonly isRefused?: true;
}

/**
 * Whether the store refuses the token, whatever its clock says. The store decides then whether that is reuse, so that no
 * requested scope and no failure of `renew` hides a spent token.
 */
function isRefused(session: AuthenticSession, presented: RefreshToken): boolean {
  const behind = session.generation - presented.generation;
  const digest = digestRefreshToken(presented);
  if (session.endedAt !== null || behind > 1) return true;
  if (behind === 1) return session.arrivedAt !== null || digest !== session.previousDigest;
  return behind === 0 && digest !== session.currentDigest;
}

/** Finds out what the next access token may grant, before the refresh token is spent. */
async function findRights(
  ctx: IssuerContext,
  presented: RefreshToken,
  requestInfo: RequestInfo,
  request: GrantRequest,
): Promise<FoundRights | { readonly status: "invalid_grant" | "invalid_scope" | "invalid_target" }> {
  if (!isNarrowing(request) && !areRightsLive(ctx) && ctx.checkAccessToken === undefined) return {};
  const standing = await findPresented(ctx, presented, requestInfo.source);
  if (standing !== null && isRefused(standing, presented)) return { isRefused: true };
  const renewed = standing && (await renewSession(ctx, standing, requestInfo));
  if (renewed === null || standing === null) return invalidGrant;
  const { content } = renewed;
  if (!isNarrowing(request)) return { standing, content };
  const narrowed = narrowGrant(sessionGrant(ctx.config, content), request);
  return narrowed.status === "ok" ? { standing, content, grant: narrowed.grant } : narrowed;
}

/** Judges the size of the next access token before the refresh token is spent. A spent one is left to the store. */
function checkNextAccessToken(
  ctx: IssuerContext,
  signingKey: SigningKey,
  { generation }: RefreshToken,
  { standing, content, grant }: FoundRights,
): void {
  if (ctx.checkAccessToken === undefined || standing === undefined || content === undefined) return;
  if (!isLive(standing, ctx.clock.now()) || generation < standing.generation) return;
  const next = { ...standing, generation: generation + 1, content };
  ctx.checkAccessToken(createAccessToken(ctx, signingKey, next, grant));
}

interface Presentation {
  readonly presented: RefreshToken;
  readonly candidate: RefreshToken;
  readonly rotation: Exclude<RotationOutcome, { outcome: "unknown" }>;
  readonly facts: { readonly subject: string; readonly session: string; readonly source: string | undefined };
}

/** Audits the outcome, and returns the refresh token that the client gets. */
async function decideAnswer(
  ctx: IssuerContext,
  { presented, candidate, rotation, facts }: Presentation,
): Promise<
  { status: "ok"; successor: RefreshToken } | { status: "invalid_grant" } | { status: "refresh_conflict" }
> {
  const { generation } = presented;
  switch (rotation.outcome) {
    case "ended":
    case "late":
      return invalidGrant;
    case "conflict":
      return { status: "refresh_conflict" };
    case "reuse":
      ctx.counts.sessionsEnded.add("reuse");
      await ctx.audit("refresh_reuse", { ...facts, detail: `generation ${generation}` });
      reportReuse(ctx, facts);
      return invalidGrant;
    case "forked":
      await ctx.rollbackAlarm.reportForked(facts, generation);
      return invalidGrant;
    case "resumed":
      await ctx.rollbackAlarm.reportResumed(facts, generation);
      return { status: "ok", successor: candidate };
    case "rotated": {
      const { repeatStreak } = rotation.session;
      if (repeatStreak >= MIN_SHADOWED_STREAK) {
        await ctx.audit("refresh_shadowed", { ...facts, detail: `streak ${repeatStreak}` });
      }
      return { status: "ok", successor: candidate };
    }
    case "repeated":
      break;
  }
  // An earlier call created the successor and sealed it under the presented token.
  const successor = openSuccessor(ctx.secrets, presented, rotation.sealedSuccessor);
  if (successor !== null) return { status: "ok", successor };
  // Another process may have made the successor under a secret that this one lacks.
  await rejectIfSecretReplaced(ctx);
  await ctx.audit("record_tampered", { ...facts, detail: "successor" });
  return invalidGrant;
}

/** Tells the application about the sign of theft, and about the end of the session. */
function reportReuse({ hook }: IssuerContext, { subject, session, source }: Presentation["facts"]): void {
  const facts = { subject, session, source: source ?? null };
  hook.notify({ type: "refresh_reuse", ...facts });
  hook.notify({ type: "session_ended", ...facts, reason: "reuse" });
}

/** The successor keeps the lifetime of its session. */
function createSuccessor(
  ctx: IssuerContext,
  { session, generation, client }: RefreshToken,
  lifetime: RefreshTokenLifetime,
): RefreshToken {
  const next = { session, generation: generation + 1, client };
  return createRefreshToken(ctx.secrets[0], next, lifetime, ctx.clock.now(), ctx.entropy);
}

/**
 * Records that the client has stored a refresh token, so that its predecessor no longer gets it. Acknowledging again,
 * and acknowledging a token that is not the current one, changes nothing.
 */
export async function acknowledge(
  ctx: IssuerContext,
  text: string,
): Promise<DefiniteOutcome<AcknowledgeOutcome>> {
  const token = await parsePresented(ctx, text, "any client");
  if (token === null) return invalidGrant;
  const { session: sessionId, generation } = token;
  await ctx.store.sessions.acknowledge({ sessionId, generation, digest: digestRefreshToken(token) });
  return { status: "ok" };
}
