import { isLive } from "../../core/session.ts";
import { HoldfastError } from "../../core/errors.ts";
import { FIRST_PARTY_CLIENT_ID } from "../client-config.ts";
import type { IssuerContext } from "../context.ts";
import type { AuthenticSession } from "../store/session-record.ts";
import type { AuthenticatedUser, RequestInfo } from "../types.ts";
import { askForUser, verifyUserRecord } from "../users/credentials.ts";
import { isRemoved } from "../users/pending-ends.ts";
import { endSession } from "./sessions.ts";

/** The rights and claims of a session's next access token. */
type Rights = Pick<AuthenticSession["content"], "scopes" | "claims">;

/** Whether the rights of a session can differ from those of its login. */
export function areRightsLive({ config }: IssuerContext): boolean {
  return config.renew !== undefined || config.authenticate === undefined;
}

/**
 * The session with the rights that its user has now. `null` when the user may not continue: the session has ended durably
 * then. A session that is not live is returned unchanged. Rejects when the rights cannot be found out (law 1).
 */
export async function renewSession(
  ctx: IssuerContext,
  session: AuthenticSession,
  requestInfo: RequestInfo,
): Promise<AuthenticSession | null> {
  // The rights of a service are those of its entry in the options.
  if (session.content.client !== FIRST_PARTY_CLIENT_ID) return session;
  if (!areRightsLive(ctx) || !isLive(session, ctx.clock.now())) return session;
  const ofUser = ctx.config.authenticate === undefined ? await rightsOfUser(ctx, session) : session.content;
  const rights = ofUser && (await rightsByApplication(ctx, session, ofUser, requestInfo));
  if (rights !== null) {
    return { ...session, content: { ...session.content, scopes: rights.scopes, claims: rights.claims } };
  }
  const { id, subject } = session;
  await endSession(ctx, id, "not_renewed", { subject, source: requestInfo.source });
  return null;
}

/**
 * The rights of a user of the store. `null` when the user is disabled or removed. Rejects when the record is missing
 * without a removal. A session that the application began
 * keeps its rights, and its user need not be in the store.
 */
async function rightsOfUser(
  ctx: IssuerContext,
  { id, subject, content }: AuthenticSession,
): Promise<Rights | null> {
  const record = await ctx.store.users.getBySubject(subject);
  if (record === null && content.begun === true) return content;
  if (record === null) {
    if (await isRemoved(ctx, subject)) return null;
    return await ctx.rollbackAlarm.rejectLostUser({ subject, session: id });
  }
  const user = await verifyUserRecord(ctx, record);
  if (user?.subject !== subject) {
    // A record without a valid MAC proves nothing about its user, so it must not end the session.
    throw new HoldfastError("store_unavailable", "the record of the user in the store is not authentic");
  }
  if (user.disabledAt !== null) return null;
  return content.begun === true ? content : { scopes: user.scopes, claims: content.claims };
}

async function rightsByApplication(
  ctx: IssuerContext,
  { id, subject, authAt, content }: AuthenticSession,
  { scopes, claims }: Rights,
  { signal }: RequestInfo,
): Promise<Rights | null> {
  const { renew } = ctx.config;
  if (renew === undefined) return { scopes, claims };
  const session = { sessionId: id, subject, scopes, claims, authAt, device: content.device };
  const ask = async (call: { signal: AbortSignal }) => await renew(session, call);
  const user: AuthenticatedUser | null = await askForUser(ctx, "renew", ask, { signal, subject });
  return user && { scopes: user.scopes, claims: user.claims ?? {} };
}
