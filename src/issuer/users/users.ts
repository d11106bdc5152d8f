import { randomUUID } from "node:crypto";
import { HoldfastError } from "../../core/errors.ts";
import { invalidOption } from "../../core/options.ts";
import type { UserRecord } from "../../stores/user-store.ts";
import type { IssuerContext } from "../context.ts";
import type { DefiniteOutcome } from "../issuer-base.ts";
import { checkAndBeginSession, withLoginLimits } from "../sessions/login.ts";
import { endSubject } from "../sessions/sessions.ts";
import { isAuthenticUser, addUserMac } from "../store/record-macs.ts";
import type { Issuer, LoginOutcome, RequestInfo, UserView } from "../types.ts";
import { checkPassword, userSchema, verifyUserRecord } from "./credentials.ts";
import { findByLoginName, loginKeyOf, normalizeUsername } from "./login-name.ts";
import { isAcceptablePassword, PASSWORD_BYTES } from "./passwords.ts";

type Users = Issuer["users"];

export async function addUser(
  ctx: IssuerContext,
  { username, password, scopes = [] }: Parameters<Users["add"]>[0],
  { onlyFirst = false }: { onlyFirst?: boolean } = {},
): Promise<"added" | "exists"> {
  const name = requireUsername(ctx, username);
  requirePassword(password);
  const subject = randomUUID();
  if (!userSchema.safeParse({ subject, scopes }).success) {
    throw invalidOption("scopes", "an array of scopes (RFC 6749 §3.3) that fits into a token", scopes);
  }
  const passwordHash = await ctx.passwords.hash(password);
  const createdAt = await ctx.store.now();
  const facts = {
    username: name,
    loginKey: loginKeyOf(ctx, name),
    subject,
    passwordHash,
    scopes: [...scopes],
    createdAt,
    disabledAt: null,
  };
  const outcome = await ctx.store.users.add(addUserMac(ctx.secrets, facts), { onlyFirst });
  if (outcome === "added") await ctx.audit("user_added", { subject, detail: name });
  return outcome;
}

export async function setPassword(
  ctx: IssuerContext,
  username: string,
  password: string,
): Promise<"changed" | "unknown"> {
  requirePassword(password);
  const user = await verifyUserRecord(ctx, await findByLoginName(ctx, requireUsername(ctx, username)));
  if (user === null) return "unknown";
  await replacePassword(ctx, user, password);
  await endSessionsAfterChange(ctx, user.subject, undefined);
  return "changed";
}

export async function listUsers(
  ctx: IssuerContext,
  { after, limit = 100 }: Parameters<Users["list"]>[0] = {},
): ReturnType<Users["list"]> {
  const users = await ctx.store.users.list({ after, limit });
  return users.filter((user) => isAuthenticUser(ctx.secrets, user)).map(toUserView);
}

export async function getUser(ctx: IssuerContext, username: string): Promise<UserView | null> {
  const user = await verifyUserRecord(ctx, await findByLoginName(ctx, username));
  return user && toUserView(user);
}

function toUserView({ username, subject, scopes, createdAt, disabledAt }: UserRecord): UserView {
  return { username, subject, scopes, createdAt, disabledAt };
}

/**
 * Changes the password of a logged-in user: every session ends, and a new one begins. An earlier attempt may have
 * changed the password without ending the sessions. So the new password is accepted as the current one, and repeating
 * the request completes it.
 */
export async function changeOwnPassword(
  ctx: IssuerContext,
  subject: string,
  passwords: { current: string; next: string },
  requestInfo: RequestInfo,
): Promise<DefiniteOutcome<LoginOutcome>> {
  return await withLoginLimits(
    ctx,
    () => subject,
    requestInfo,
    async () => {
      const found = await ctx.store.users.getBySubject(subject);
      const user = found?.subject === subject ? found : null;
      const verified = await checkPassword(ctx, user, passwords.current);
      const changed =
        verified === null
          ? await checkPassword(ctx, user, passwords.next)
          : await replacePassword(ctx, verified, passwords.next);
      if (changed === null) return null;
      await endSessionsAfterChange(ctx, subject, requestInfo.source);
      return await checkAndBeginSession(ctx, requestInfo, async () => {
        const stored = await ctx.store.users.get(changed.username);
        // The MAC shows whether the record was changed since. The other fields of `stored` are not verified.
        return stored?.mac === changed.mac ? changed : null;
      });
    },
  );
}

async function endSessionsAfterChange(
  ctx: IssuerContext,
  subject: string,
  source: string | undefined,
): Promise<void> {
  await endSubject(ctx, subject, "password_changed", source);
  await ctx.audit("password_changed", { subject, source });
}

async function replacePassword(ctx: IssuerContext, user: UserRecord, password: string): Promise<UserRecord> {
  const changed = addUserMac(ctx.secrets, { ...user, passwordHash: await ctx.passwords.hash(password) });
  if ((await ctx.store.users.replace(changed, user.mac)) === "replaced") return changed;
  throw new HoldfastError("store_unavailable", "the user was changed at the same time; try again");
}

function requireUsername(ctx: IssuerContext, username: unknown): string {
  const name = typeof username === "string" ? normalizeUsername(ctx, username) : null;
  if (name !== null) return name;
  throw invalidOption("username", "1 to 128 characters without control characters or outer spaces", username);
}

function requirePassword(password: unknown): asserts password is string {
  if (typeof password === "string" && isAcceptablePassword(password)) return;
  throw invalidOption("password", `from ${PASSWORD_BYTES.min} to ${PASSWORD_BYTES.max} bytes`, password);
}
