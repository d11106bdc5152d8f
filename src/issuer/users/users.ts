import { invalidOption, readWholeNumber } from "../../core/options.ts";
import type { UserRecord } from "../../stores/user-store.ts";
import type { IssuerContext } from "../context.ts";
import type { DefiniteOutcome } from "../issuer-base.ts";
import { checkFirstAccessToken } from "../sessions/access-token-size.ts";
import { checkAndBeginSession, withLoginLimits } from "../sessions/login.ts";
import type { LifetimeLimits } from "../sessions/session-lifetime.ts";
import { endSubject } from "../sessions/sessions.ts";
import { isAuthenticUser, addUserMac } from "../store/record-macs.ts";
import type { AuthenticSession } from "../store/session-record.ts";
import { rejectIfSecretReplaced } from "../store/secret-marker.ts";
import type { LoginOutcome, RequestInfo } from "../types.ts";
import { auditAction, changedMeanwhile } from "./administration.ts";
import { checkPassword, verifyUserRecord } from "./credentials.ts";
import { findByLoginName } from "./login-name.ts";
import type { PoolTurn } from "./passwords.ts";
import { readNewUser, requirePassword, requirePasswordHash } from "./user-input.ts";
import type { NewUser, Users, UserView } from "./user-types.ts";

/** The longest page of a list of users. */
export const MAX_LISTED = 1000;

export async function addUser(
  ctx: IssuerContext,
  { password, passwordHash: imported, ...given }: NewUser,
  { onlyFirst = false, ...actor }: NonNullable<Parameters<Users["add"]>[1]> = {},
): Promise<"added" | "exists"> {
  const read = readNewUser(ctx, given);
  if (read.status === "refused") throw invalidOption(read.member, read.mustBe, read.value);
  if (imported === undefined) requirePassword(password);
  else requirePasswordHash(imported);
  if (imported !== undefined && password !== undefined) {
    throw invalidOption("password", "left out when there is a passwordHash", password);
  }
  const passwordHash = imported ?? (await ctx.passwords.hash(password as string));
  const createdAt = await ctx.store.now();
  const facts = { ...read.user, passwordHash, createdAt, disabledAt: null };
  const outcome = await ctx.store.users.add(addUserMac(ctx.secrets, facts), { onlyFirst });
  if (outcome === "added") await auditAction(ctx, "user_added", facts, actor, facts.username);
  return outcome;
}

/**
 * Reads on behind records without a valid MAC, so that they hide no other user: fewer users than `limit` are the last
 * ones. Rejects with `store_mismatch` when another process has replaced the secret, so that a record proves nothing.
 */
export async function listUsers(
  ctx: IssuerContext,
  { after, limit }: Parameters<Users["list"]>[0] = {},
): ReturnType<Users["list"]> {
  const most = readWholeNumber("limit", limit, { default: 100, min: 1, max: MAX_LISTED });
  const listed: UserView[] = [];
  let isTampered = false;
  let read = after;
  for (let pageSize = most; ; pageSize = MAX_LISTED) {
    const page = await ctx.store.users.list({ after: read, limit: pageSize });
    const authentic = page.filter((user) => isAuthenticUser(ctx.secrets, user));
    listed.push(...authentic.map(toUserView));
    if (authentic.length < page.length) {
      await rejectIfSecretReplaced(ctx);
      isTampered = true;
    }
    read = page.at(-1)?.username;
    if (page.length < pageSize || listed.length >= most) break;
  }
  if (isTampered) await ctx.audit("record_tampered", { detail: "user" });
  return listed.slice(0, most);
}

export async function getUser(ctx: IssuerContext, username: string): Promise<UserView | null> {
  const user = await verifyUserRecord(ctx, await findByLoginName(ctx, username));
  return user && toUserView(user);
}

export function toUserView({ username, subject, scopes, createdAt, disabledAt }: UserRecord): UserView {
  return { username, subject, scopes, createdAt, disabledAt };
}

/**
 * Changes the password of a logged-in user: every session ends, and a new one like `session` begins. An earlier attempt may have
 * changed the password without ending the sessions. So the new password is accepted as the current one, and repeating
 * the request completes it.
 */
export async function changeOwnPassword(
  ctx: IssuerContext,
  session: AuthenticSession,
  passwords: { current: string; next: string },
  requestInfo: RequestInfo,
): Promise<DefiniteOutcome<LoginOutcome>> {
  const { subject } = session;
  return await withLoginLimits(
    ctx,
    () => [subject],
    requestInfo,
    async ({ place: { group }, onHashed }) => {
      // The caller has a live session, so the check does not wait behind those of strangers.
      const turn: PoolTurn = { place: { lane: "known", group }, signal: requestInfo.signal, onHashed };
      // The replacement of an imported hash after a login would conflict with this change.
      await ctx.rehash.finished(subject);
      const found = await ctx.store.users.getBySubject(subject);
      const user = found?.subject === subject ? found : null;
      const verified = await checkPassword(ctx, user, passwords.current, turn);
      // The sessions end after the change, so a token that the page cannot keep is refused before it.
      if (verified !== null) checkFirstAccessToken(ctx, await ctx.keys.activeKey(), verified);
      const changed =
        verified === null
          ? await checkPassword(ctx, user, passwords.next, turn)
          : await replacePassword(ctx, verified, passwords.next);
      if (changed === null) return null;
      await endSessionsAfterChange(ctx, subject, requestInfo.source);
      return await checkAndBeginSession(ctx, inheritInfo(session, requestInfo), async () => {
        const stored = await ctx.store.users.get(changed.username);
        // The MAC shows whether the record was changed since. The other fields of `stored` are not verified.
        return stored?.mac === changed.mac ? { ...changed, ...lifetimesOf(session) } : null;
      });
    },
  );
}

/** The new session is for the same audiences and under the same device name as the old one. */
function inheritInfo({ content }: AuthenticSession, requestInfo: RequestInfo): RequestInfo {
  return { ...requestInfo, resources: content.audience, deviceName: content.deviceName ?? undefined };
}

/** The limits of the old session, so that a short session stays a short one. */
function lifetimesOf({ idleMs, authAt, absoluteExpiresAt }: AuthenticSession): Required<LifetimeLimits> {
  return { idleMs, absoluteMs: absoluteExpiresAt - authAt };
}

async function endSessionsAfterChange(
  ctx: IssuerContext,
  subject: string,
  source: string | undefined,
): Promise<void> {
  await endSubject(ctx, subject, "password_changed", { source });
  await ctx.audit("password_changed", { subject, source });
}

async function replacePassword(ctx: IssuerContext, user: UserRecord, password: string): Promise<UserRecord> {
  const changed = addUserMac(ctx.secrets, { ...user, passwordHash: await ctx.passwords.hash(password) });
  if ((await ctx.store.users.replace(changed, user.mac)) === "replaced") return changed;
  throw changedMeanwhile();
}
