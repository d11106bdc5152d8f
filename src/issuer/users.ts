import { randomUUID } from "node:crypto";
import { HoldfastError } from "../core/errors.ts";
import { invalidOption } from "../core/options.ts";
import type { UserRecord } from "../stores/contracts.ts";
import type { Context } from "./context.ts";
import type { Decided } from "./foundation.ts";
import { checkPassword, identitySchema, normalUsername, provenUser } from "./identity.ts";
import { openSession, withinLimits } from "./login.ts";
import { isAcceptablePassword, PASSWORD_BYTES } from "./passwords.ts";
import { isOurUser, signUser } from "./records.ts";
import { endSubject } from "./sessions.ts";
import type { Issuer, LoginOutcome, Origin } from "./types.ts";

type Users = Issuer["users"];

export async function addUser(
  ctx: Context,
  { username, password, scopes = [] }: Parameters<Users["add"]>[0],
  { onlyFirst = false }: { onlyFirst?: boolean } = {},
): Promise<"added" | "exists"> {
  const name = nameOf(username);
  requirePassword(password);
  const subject = randomUUID();
  if (!identitySchema.safeParse({ subject, scopes }).success) {
    throw invalidOption("scopes", "an array of scopes (RFC 6749 §3.3) that fits into a token", scopes);
  }
  const passwordHash = await ctx.passwords.hash(password);
  const createdAt = await ctx.store.now();
  const facts = { username: name, subject, passwordHash, scopes: [...scopes], createdAt };
  const outcome = await ctx.store.users.add(signUser(ctx.secrets, facts), { onlyFirst });
  if (outcome === "added") await ctx.audit("user_added", { subject, detail: name });
  return outcome;
}

export async function setPassword(
  ctx: Context,
  username: string,
  password: string,
): Promise<"changed" | "unknown"> {
  requirePassword(password);
  const name = nameOf(username);
  const user = await provenUser(ctx, await ctx.store.users.get(name));
  if (user?.username !== name) return "unknown";
  await replacePassword(ctx, user, password);
  await endAfterChange(ctx, user.subject, undefined);
  return "changed";
}

export async function listUsers(
  ctx: Context,
  { after, limit = 100 }: Parameters<Users["list"]>[0] = {},
): ReturnType<Users["list"]> {
  const users = await ctx.store.users.list({ after, limit });
  return users
    .filter((user) => isOurUser(ctx.secrets, user))
    .map(({ username, subject, scopes, createdAt }) => ({ username, subject, scopes, createdAt }));
}

/**
 * Changes one's own password: every session ends, and a fresh one begins. If an earlier try changed the password
 * but could not end the sessions, trying again finishes it: the new password counts as the current one then.
 */
export async function changeOwnPassword(
  ctx: Context,
  subject: string,
  passwords: { current: string; wanted: string },
  origin: Origin,
): Promise<Decided<LoginOutcome>> {
  return await withinLimits(ctx, subject, origin, async () => {
    const found = await ctx.store.users.getBySubject(subject);
    const user = found?.subject === subject ? found : null;
    let changed = await checkPassword(ctx, user, passwords.current);
    if (changed !== null) changed = await replacePassword(ctx, changed, passwords.wanted);
    else changed = await checkPassword(ctx, user, passwords.wanted);
    if (changed === null) return null;
    const proven = changed;
    await endAfterChange(ctx, subject, origin.source);
    return await openSession(ctx, origin, async () => {
      const now = await ctx.store.users.get(proven.username);
      // Its MAC says whether it was changed since; what else it says was not proved.
      return now?.mac === proven.mac ? proven : null;
    });
  });
}

async function endAfterChange(ctx: Context, subject: string, source: string | undefined): Promise<void> {
  await endSubject(ctx, subject, "password_changed", source);
  await ctx.audit("password_changed", { subject, source });
}

async function replacePassword(ctx: Context, user: UserRecord, password: string): Promise<UserRecord> {
  const changed = signUser(ctx.secrets, { ...user, passwordHash: await ctx.passwords.hash(password) });
  if ((await ctx.store.users.replace(changed, user.mac)) === "replaced") return changed;
  throw new HoldfastError("store_unavailable", "the user was changed at the same time; try again");
}

function nameOf(username: unknown): string {
  const name = typeof username === "string" ? normalUsername(username) : null;
  if (name !== null) return name;
  throw invalidOption("username", "1 to 128 characters without control characters or outer blanks", username);
}

function requirePassword(password: unknown): asserts password is string {
  if (typeof password === "string" && isAcceptablePassword(password)) return;
  throw invalidOption("password", `from ${PASSWORD_BYTES.min} to ${PASSWORD_BYTES.max} bytes`, password);
}
