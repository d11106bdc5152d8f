import { HoldfastError, isHoldfastError } from "../../core/errors.ts";
import { isLive } from "../../core/session.ts";
import { ownTurn } from "../../resilience/turns.ts";
import type {
  EndReason,
  Rotation,
  SessionPosition,
  SessionRecord,
  SessionStore,
} from "../../stores/session-store.ts";
import { FIRST_PARTY_CLIENT_ID } from "../client-config.ts";
import type { IssuerContext } from "../context.ts";
import { addSessionMac } from "../store/record-macs.ts";
import {
  findToEnd,
  readToEnd,
  verifySessionRecord,
  type AuthenticSession,
  type SessionContent,
} from "../store/session-record.ts";
import type { AuthenticatedUser, RequestInfo, TokenResponse } from "../types.ts";
import { checkFirstAccessToken } from "./access-token-size.ts";
import {
  createRefreshToken,
  createSessionId,
  digestRefreshToken,
  sessionIdOfProof,
} from "./refresh-token.ts";
import { MAX_LISTED_SESSIONS } from "./session-position.ts";
import { shortestLifetime, type LifetimeLimits } from "./session-lifetime.ts";
import { createTokenResponse } from "./token-response.ts";

/** The longest description of a device, its name, and the address that a session keeps. */
const MAX_DEVICE_CHARS = 256;
const MAX_DEVICE_NAME_CHARS = 64;
const MAX_ADDRESS_CHARS = 64;
const MAX_SESSIONS_PER_CLIENT = 1000;
/** Each verification is a MAC and the parse of a record. So many take a few milliseconds. */
const VERIFIED_PER_TURN = 50;

/** The client that a session is for. The defaults are those of a first-party session. */
export interface SessionClient {
  readonly id: string;
  readonly lifetime: Required<LifetimeLimits>;
}

/** Who ended a session, and from where. */
interface ActionFacts {
  readonly source?: string | undefined;
  /** An administrator. */
  readonly actor?: string | undefined;
}

/** When credentials were checked: the time of the store, and its mark, both from before the check. */
export interface CheckTime {
  readonly authAt: number;
  readonly mark: number;
}

/**
 * Returns the number of the cut-off when the sessions of the subject were ended since `mark`, so that the credentials must
 * be checked again. `used`: the proof of this login has begun a session before.
 */
export async function beginSession(
  ctx: IssuerContext,
  { subject, scopes, claims = {}, begun, once, ...limits }: AuthenticatedUser & Pick<SessionContent, "begun">,
  { authAt, mark }: CheckTime,
  requestInfo: RequestInfo,
  client: SessionClient = firstPartyClient(ctx),
): Promise<
  { status: "created"; tokens: TokenResponse } | { status: "superseded"; number: number } | { status: "used" }
> {
  const signingKey = await ctx.keys.activeKey();
  const { resources = [] } = requestInfo;
  const audience = resources.length === 0 ? undefined : [...resources];
  const content: SessionContent = {
    scopes,
    claims,
    client: client.id,
    device: requestInfo.device?.slice(0, MAX_DEVICE_CHARS) ?? null,
    deviceName: requestInfo.deviceName?.slice(0, MAX_DEVICE_NAME_CHARS) ?? null,
    address: requestInfo.source?.slice(0, MAX_ADDRESS_CHARS) ?? null,
    mark,
    ...(audience && { audience }),
    ...(begun && { begun }),
  };
  checkFirstAccessToken(ctx, signingKey, { subject, scopes, claims, ...(audience && { audience }) });
  const id =
    once === undefined ? createSessionId(ctx.entropy) : sessionIdOfProof(ctx.config.url, subject, once);
  const { idleMs, absoluteMs } = shortestLifetime(client.lifetime, limits);
  const absoluteExpiresAt = authAt + absoluteMs;
  const first = {
    session: id,
    generation: 1,
    client: client.id === FIRST_PARTY_CLIENT_ID ? null : client.id,
  };
  const refresh = createRefreshToken(
    ctx.secrets[0],
    first,
    { idleMs, absoluteExpiresAt },
    ctx.clock.now(),
    ctx.entropy,
  );
  const facts = { id, subject, authAt, absoluteExpiresAt, facts: JSON.stringify(content) };
  const { issuer, until } = await sessionRevocation(ctx, id);
  const record = { ...addSessionMac(ctx.secrets, facts), currentDigest: digestRefreshToken(refresh) };
  const create = async () =>
    await ctx.store.sessions.create(
      { ...record, idleMs, mark },
      { max: mostSessions(ctx, client), issuer, until },
    );
  const created = await (once === undefined ? create() : createOnce(ctx, id, create));
  if (created.status !== "created") return created;
  ctx.counts.sessionsStarted++;
  for (const evicted of created.evicted) await reportEnd(ctx, evicted, "evicted", requestInfo);
  const session = await verifySessionRecord(ctx, created.session, id);
  if (session === null) throw new HoldfastError("store_corrupt", "the store changed the session it created");
  return { status: "created", tokens: createTokenResponse(ctx, signingKey, session, refresh) };
}

/** Creates the session of a proof. The store refuses an id that is taken, and takes each id once. */
async function createOnce<T>(
  ctx: IssuerContext,
  id: string,
  create: () => Promise<T>,
): Promise<T | { status: "used" }> {
  const isUsed = async () => (await ctx.store.sessions.get(id)) !== null;
  if (await isUsed()) return { status: "used" };
  try {
    return await create();
  } catch (error) {
    // Another request has created the session since.
    if (isHoldfastError(error, "invalid_option") && (await isUsed())) return { status: "used" };
    throw error;
  }
}

/** A service has a bound of its own, because each of its processes has a session. */
function mostSessions({ config }: IssuerContext, { id }: SessionClient): number {
  return id === FIRST_PARTY_CLIENT_ID ? config.maxSessions : MAX_SESSIONS_PER_CLIENT;
}

function firstPartyClient({ config }: IssuerContext): SessionClient {
  const lifetime = { idleMs: config.refreshIdleMs, absoluteMs: config.refreshAbsoluteMs };
  return { id: FIRST_PARTY_CLIENT_ID, lifetime };
}

export async function sessionRevocation(ctx: IssuerContext, id: string): Promise<Rotation["onReuse"]> {
  const until = await ctx.acceptance.endsAt(ctx.storeTime.latest());
  return { kind: "session", id, issuer: ctx.config.url, until };
}

/** Resolves when the end is durable (law 12). An ended or unknown session is ended again, and that is logged again. */
export async function endSession(
  ctx: IssuerContext,
  id: string,
  reason: EndReason,
  facts: ActionFacts & { subject?: string } = {},
): Promise<void> {
  // The end must not fail because of facts that only the audit needs.
  const found = await findToEnd(ctx, id).catch(() => null);
  const before = found === "damaged" ? null : found;
  const subject = facts.subject ?? before?.subject;
  await ctx.store.sessions.end(id, reason, await sessionRevocation(ctx, id));
  if (before !== null && isLive(before, ctx.clock.now())) return await reportEnd(ctx, before, reason, facts);
  const { source, actor } = facts;
  const detail = found === "damaged" ? `${reason}; its record was damaged` : reason;
  await ctx.audit("session_ended", { subject, source, actor, session: id, detail });
}

/** Reports that a live session has ended. */
async function reportEnd(
  ctx: IssuerContext,
  { id: session, subject }: Pick<SessionRecord, "id" | "subject">,
  reason: EndReason,
  { source, actor }: ActionFacts,
): Promise<void> {
  ctx.counts.sessionsEnded.add(reason);
  await ctx.audit("session_ended", { subject, source, actor, session, detail: reason });
  ctx.hook.notify({ type: "session_ended", subject, session, source: source ?? null, reason });
}

/** Ends the session of a token that a client presents. A session that has ended is left as it is. */
export async function endPresentedSession(
  ctx: IssuerContext,
  id: string,
  facts: { subject?: string; source?: string | undefined },
): Promise<void> {
  // The store appends the revocation before it ends the session, so an ended session needs no other one.
  const read = async () => {
    const session = await readToEnd(ctx.store.sessions, id);
    if (session === null) return "absent";
    return session === "damaged" || session.endedAt === null ? "unwritten" : "written";
  };
  await ctx.presentedEnds.once(`session ${id}`, read, async () => {
    await endSession(ctx, id, "logout", facts);
  });
}

/** Counts the newest sessions that the store ends without counting them, because it cannot read their records. */
async function countDamaged({ store }: IssuerContext, subject: string): Promise<number> {
  const page = { after: null, limit: MAX_LISTED_SESSIONS };
  // The end must not fail because of facts that only the audit needs.
  const listed = await store.sessions.listBySubject(subject, page).catch(() => null);
  return listed?.unreadable?.length ?? 0;
}

/** Returns how many sessions were live. */
export async function endSubject(
  ctx: IssuerContext,
  subject: string,
  reason: EndReason,
  { source, actor }: ActionFacts = {},
): Promise<number> {
  const until = await ctx.acceptance.endsAt(ctx.storeTime.latest());
  const damaged = actor === undefined ? 0 : await countDamaged(ctx, subject);
  const ended = await ctx.store.sessions.endAll(subject, reason, { issuer: ctx.config.url, until });
  if (ended > 0) ctx.counts.sessionsEnded.add(reason, ended);
  const detail = `${reason}, sessions: ${ended}${damaged === 0 ? "" : `, damaged: ${damaged}`}`;
  await ctx.audit("subject_ended", { subject, source, actor, detail });
  ctx.hook.notify({ type: "subject_ended", subject, source: source ?? null, reason, sessions: ended });
  return ended;
}

/** Ends every session of the user of `session`, for a client that presented a token of it. */
export async function endSessionsWith(
  ctx: IssuerContext,
  { id, subject }: AuthenticSession,
  source: string | undefined,
): Promise<void> {
  // A plain logout at the same time ends this session only, so it does not stand for this end.
  const read = async () =>
    (await ctx.store.sessions.get(id))?.endReason === "logout_all" ? "written" : "unwritten";
  await ctx.presentedEnds.once(`sessions with ${id}`, read, async () => {
    await endSubject(ctx, subject, "logout_all", { source });
  });
}

/** Lists a page of the live sessions of a subject, newest first. */
export async function listLiveSessions(
  ctx: IssuerContext,
  subject: string,
  page: Parameters<SessionStore["listBySubject"]>[1],
): Promise<{
  sessions: readonly AuthenticSession[];
  unreadable: readonly string[];
  next: SessionPosition | null;
}> {
  const { sessions, unreadable = [], next } = await ctx.store.sessions.listBySubject(subject, page);
  const proven: AuthenticSession[] = [];
  /** Records without a valid MAC. */
  const refused: string[] = [];
  for (let from = 0; from < sessions.length; from += VERIFIED_PER_TURN) {
    if (from > 0) await ownTurn(ctx.clock);
    const part = sessions.slice(from, from + VERIFIED_PER_TURN);
    const verified = await Promise.all(part.map(async (one) => await verifySessionRecord(ctx, one, one.id)));
    proven.push(...verified.filter((one) => one !== null).filter((one) => one.subject === subject));
    refused.push(...part.filter((_, i) => verified[i] === null).map(({ id }) => id));
  }
  return { sessions: proven, unreadable: [...unreadable, ...refused], next };
}
