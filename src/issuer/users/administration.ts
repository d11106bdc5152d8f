import { HoldfastError } from "../../core/errors.ts";
import type { AuditKind } from "../../core/events.ts";
import type { EndReason } from "../../stores/session-store.ts";
import type { UserRecord } from "../../stores/user-store.ts";
import type { IssuerContext } from "../context.ts";
import { endSubject } from "../sessions/sessions.ts";
import { addUserMac } from "../store/record-macs.ts";
import { hasAdministrator, isAdministrator } from "./administrators.ts";
import { verifyUserRecord } from "./credentials.ts";
import { findByLoginName } from "./login-name.ts";
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
 * Changes a user, then ends the sessions whose rights are gone. Both happen again when the request is repeated, so that
 * a repetition completes a change that failed between them (law 12).
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
  const applied = await replaceUser(ctx, requireUsername(ctx, username), options, (user) => ({
    ...user,
    passwordHash: passwordHash ?? user.passwordHash,
    scopes: scopes === undefined ? user.scopes : [...new Set(scopes)],
    disabledAt: disabled === undefined ? user.disabledAt : disabled ? (user.disabledAt ?? now) : null,
  }));
  if (applied.status !== "changed") return applied;
  const { before, user } = applied;
  const hasLost = scopes !== undefined && before.scopes.some((scope) => !user.scopes.includes(scope));
  const ends: [boolean, EndReason][] = [
    [disabled === true, "user_disabled"],
    [password !== undefined, "password_changed"],
    [hasLost && options.sessions !== "keep", "scopes_reduced"],
  ];
  const [, reason] = ends.find(([applies]) => applies) ?? [];
  if (reason !== undefined) await endSubject(ctx, user.subject, reason, options);
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
  for (let tries = 1; tries <= MAX_TRIES; tries++) {
    const now = await ctx.store.now();
    const disabled = await replaceUser(ctx, name, options, (user) => ({
      ...user,
      disabledAt: user.disabledAt ?? now,
    }));
    if (disabled.status !== "changed") return disabled.status;
    const { user } = disabled;
    await endSubject(ctx, user.subject, "user_removed", options);
    if ((await ctx.store.users.remove(user.username, user.mac)) === "removed") {
      await auditAction(ctx, "user_removed", user, options, user.username);
      return "removed";
    }
  }
  throw changedMeanwhile();
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
  | { readonly status: "changed"; readonly before: UserRecord; readonly user: UserRecord }
  | { readonly status: "unknown" | "last_administrator" };

/**
 * Replaces the record of the user. Unless it is forced, a change that leaves no administrator does not happen. Two
 * administrators can demote each other at the same time. So the issuer looks again after the change, and takes it back.
 */
async function replaceUser(
  ctx: IssuerContext,
  name: string,
  { force = false }: UserRightsOptions,
  change: (user: UserRecord) => Omit<UserRecord, "mac">,
): Promise<ReplaceResult> {
  const { users } = ctx.store;
  for (let tries = 1; tries <= MAX_TRIES; tries++) {
    const before = await verifyUserRecord(ctx, await findByLoginName(ctx, name));
    if (before === null) return { status: "unknown" };
    const user = addUserMac(ctx.secrets, change(before));
    const mustCheck = !force && isAdministrator(before) && !isAdministrator(user);
    if (mustCheck && !(await hasAdministrator(ctx, before.username))) return { status: "last_administrator" };
    if ((await users.replace(user, before.mac)) === "stale") continue;
    if (mustCheck && !(await hasAdministrator(ctx))) {
      await users.replace(before, user.mac);
      return { status: "last_administrator" };
    }
    return { status: "changed", before, user };
  }
  throw changedMeanwhile();
}

export function changedMeanwhile(): HoldfastError {
  return new HoldfastError("store_unavailable", "the user was changed at the same time; try again");
}
