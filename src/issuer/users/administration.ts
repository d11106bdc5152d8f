import { HoldfastError, isHoldfastError } from "../../core/errors.ts";
import type { AuditKind } from "../../core/events.ts";
import type { EndReason } from "../../stores/session-store.ts";
import type { UserRecord } from "../../stores/user-store.ts";
import type { IssuerContext } from "../context.ts";
import { endSubject } from "../sessions/sessions.ts";
import { addUserMac, isAuthenticUser } from "../store/record-macs.ts";
import { hasAdministrator, isAdministrator } from "./administrators.ts";
import { verifyUserRecord } from "./credentials.ts";
import { findByLoginName } from "./login-name.ts";
import {
  findPendingEnd,
  markPendingEnd,
  markRemoved,
  settlePendingEnd,
  type PendingEnd,
} from "./pending-ends.ts";
import { requirePassword, requireScopes, requireUsername } from "./user-input.ts";
import type { UserActionOptions, UserRightsOptions, Users } from "./user-types.ts";

/** The changes of an administrator to a user. A member that is left out stays as it is. */
export interface UserChange {
  readonly password?: string;
  readonly scopes?: readonly string[];
  readonly disabled?: boolean;
}

export type ChangeOptions = UserRightsOptions & NonNullable<Parameters<Users["setScopes"]>[2]>;

type ChangeResult =
  | { readonly status: "changed"; readonly user: UserRecord }
  | { readonly status: "unknown" | "last_administrator" };

/** How often a change is tried when the record changes at the same time. */
const MAX_TRIES = 5;

/**
 * Changes a user, then ends the sessions whose rights are gone. A failure between them leaves a pending end. Any later
 * change of the user completes it (law 12), also one that takes no rights away.
 */
export async function changeUser(
  ctx: IssuerContext,
  username: string,
  change: UserChange,
  options: ChangeOptions = {},
): Promise<ChangeResult> {
  const { password, scopes, disabled } = change;
  if (password !== undefined) requirePassword(password);
  if (scopes !== undefined) requireScopes(scopes);
  const passwordHash = password === undefined ? undefined : await ctx.passwords.hash(password);
  const now = await ctx.store.now();
  const changed = (user: UserRecord): Omit<UserRecord, "mac"> => ({
    ...user,
    passwordHash: passwordHash ?? user.passwordHash,
    scopes: scopes === undefined ? user.scopes : [...new Set(scopes)],
    disabledAt: disabled === undefined ? user.disabledAt : disabled ? (user.disabledAt ?? now) : null,
  });
  const endReason = (before: UserRecord): EndReason | undefined => {
    if (disabled === true) return "user_disabled";
    if (password !== undefined) return "password_changed";
    const hasLost = scopes !== undefined && before.scopes.some((scope) => !scopes.includes(scope));
    return hasLost && options.sessions !== "keep" ? "scopes_reduced" : undefined;
  };
  const applied = await replaceUser(ctx, requireUsername(ctx, username), options, changed, endReason);
  if (applied.status !== "changed") return applied;
  const { user, pending } = applied;
  if (pending !== null) await endPending(ctx, user, pending, options);
  const audit = async (kind: AuditKind, detail: string) =>
    await auditAction(ctx, kind, user, options, detail);
  if (scopes !== undefined) await audit("user_scopes_changed", `${user.username}: ${user.scopes.join(" ")}`);
  if (password !== undefined) await audit("password_changed", user.username);
  if (disabled !== undefined) await audit(disabled ? "user_disabled" : "user_enabled", user.username);
  return { status: "changed", user };
}

/**
 * Disables the user first, so that no login succeeds between the end of the sessions and the removal. A repetition
 * completes a removal that failed in between.
 */
export async function removeUser(
  ctx: IssuerContext,
  username: string,
  options: UserRightsOptions = {},
): ReturnType<Users["remove"]> {
  const name = requireUsername(ctx, username);
  try {
    const outcome = await removeAuthentic(ctx, name, options);
    if (outcome !== "unknown") return outcome;
    const record = await findByLoginName(ctx, name);
    if (record === null || isAuthenticUser(ctx.secrets, record)) return outcome;
    const removed = await removeDamaged(ctx, record, options);
    if (removed !== null) return removed;
  } catch (error) {
    if (!isHoldfastError(error, "store_corrupt")) throw error;
    const removed = await removeDamaged(ctx, { username: name, mac: "" }, options);
    if (removed === null) throw error;
    return removed;
  }
  throw changedMeanwhile();
}

/**
 * Removes a user whose record cannot be read or has no valid MAC, and ends its sessions when the subject is known. Such a
 * user cannot log in, so no session begins in between. Returns `null` when there was no such record.
 */
async function removeDamaged(
  ctx: IssuerContext,
  { username, mac, subject: named }: Pick<UserRecord, "username" | "mac"> & Partial<UserRecord>,
  { actor, source }: UserRightsOptions,
): Promise<"removed" | "removed_sessions_unknown" | null> {
  const { users } = ctx.store;
  const subject = await findUnowned(ctx, [await users.subjectOf?.(username), named]);
  if (subject !== undefined) {
    await endSubject(ctx, subject, "user_removed", { actor, source });
    await markRemoved(ctx, subject);
  }
  if ((await users.remove(username, mac)) === "stale") return null;
  const detail =
    subject === undefined ? `${username}: no session was ended, because the subject is not known` : username;
  await ctx.audit("user_removed", { subject, actor, source, detail });
  return subject === undefined ? "removed_sessions_unknown" : "removed";
}

/**
 * Returns the first of the subjects that is not the subject of a user with a valid MAC. No MAC covers the given subjects,
 * so another program that writes to the store can name the subject of another user. Reads all users, because it can also
 * change the index of the subjects.
 */
async function findUnowned(
  { store, secrets }: IssuerContext,
  subjects: readonly (string | null | undefined)[],
): Promise<string | undefined> {
  const unowned = new Set(subjects);
  for (let after: string | undefined; ;) {
    const users = await store.users.list({ after, limit: 500 });
    for (const user of users) {
      if (unowned.has(user.subject) && isAuthenticUser(secrets, user)) unowned.delete(user.subject);
    }
    after = users.at(-1)?.username;
    if (after === undefined) break;
  }
  return [...unowned].find((one) => one !== null && one !== undefined && one !== "") ?? undefined;
}

async function removeAuthentic(
  ctx: IssuerContext,
  name: string,
  options: UserRightsOptions,
): ReturnType<Users["remove"]> {
  for (let tries = 1; tries <= MAX_TRIES; tries++) {
    const now = await ctx.store.now();
    const change = (user: UserRecord) => ({ ...user, disabledAt: user.disabledAt ?? now });
    const disabled = await replaceUser(ctx, name, options, change, () => "user_removed");
    if (disabled.status !== "changed") return disabled.status;
    const { user, pending } = disabled;
    if (pending !== null) await endPending(ctx, user, pending, options);
    await markRemoved(ctx, user.subject);
    if ((await ctx.store.users.remove(user.username, user.mac)) === "removed") {
      await auditAction(ctx, "user_removed", user, options, user.username);
      return "removed";
    }
  }
  throw changedMeanwhile();
}

async function endPending(
  ctx: IssuerContext,
  { subject }: UserRecord,
  pending: PendingEnd,
  options: UserActionOptions,
): Promise<void> {
  await endSubject(ctx, subject, pending.reason, options);
  await settlePendingEnd(ctx, subject, pending);
}

/** Publishes and stores what an administrator did to a user. */
export async function auditAction(
  ctx: IssuerContext,
  kind: AuditKind,
  { subject }: Pick<UserRecord, "subject">,
  { actor, source }: UserActionOptions,
  detail: string,
): Promise<void> {
  await ctx.audit(kind, { subject, actor, source, detail });
}

type ReplaceResult =
  | { readonly status: "changed"; readonly user: UserRecord; readonly pending: PendingEnd | null }
  | { readonly status: "unknown" | "last_administrator" };

/**
 * Replaces the record of the user. `pending` is the end of sessions that this change or an earlier one owes. Unless it is forced, a change that leaves no administrator does not happen. Two
 * administrators can demote each other at the same time. So the issuer looks again after the change, and takes it back.
 */
async function replaceUser(
  ctx: IssuerContext,
  name: string,
  { force = false }: UserRightsOptions,
  change: (user: UserRecord) => Omit<UserRecord, "mac">,
  endReason: (before: UserRecord) => EndReason | undefined,
): Promise<ReplaceResult> {
  const { users } = ctx.store;
  for (let tries = 1; tries <= MAX_TRIES; tries++) {
    const before = await verifyUserRecord(ctx, await findByLoginName(ctx, name));
    if (before === null) return { status: "unknown" };
    const user = addUserMac(ctx.secrets, change(before));
    const mustCheck = !force && isAdministrator(before) && !isAdministrator(user);
    if (mustCheck && !(await hasAdministrator(ctx, before.username))) return { status: "last_administrator" };
    const reason = endReason(before);
    const own = reason === undefined ? null : await markPendingEnd(ctx, user.subject, reason);
    if ((await users.replace(user, before.mac)) === "stale") continue;
    if (mustCheck && !(await hasAdministrator(ctx))) {
      await takeBack(ctx, before, user);
      return { status: "last_administrator" };
    }
    return { status: "changed", user, pending: own ?? (await findPendingEnd(ctx, user.subject)) };
  }
  throw changedMeanwhile();
}

/** Gives an administrator the rights back, also when another change of the user came in between. */
async function takeBack(ctx: IssuerContext, before: UserRecord, changed: UserRecord): Promise<void> {
  const { scopes, disabledAt } = before;
  let current: UserRecord | null = changed;
  for (let tries = 1; tries <= MAX_TRIES && current !== null; tries++) {
    const restored = addUserMac(ctx.secrets, { ...current, scopes, disabledAt });
    if ((await ctx.store.users.replace(restored, current.mac)) === "replaced") return;
    current = await verifyUserRecord(ctx, await ctx.store.users.get(before.username));
  }
  throw changedMeanwhile();
}

export function changedMeanwhile(): HoldfastError {
  return new HoldfastError("store_unavailable", "the user was changed at the same time; try again");
}
