import { randomUUID } from "node:crypto";
import { HoldfastError } from "../core/errors.ts";
import { invalidOption } from "../core/options.ts";
import type { UserRecord } from "../stores/contracts.ts";
import type { Context } from "./context.ts";
import { checkPassword, normalUsername, provenUser, scopeSchema } from "./identity.ts";
import { openSession, withinLimits, type Refused } from "./login.ts";
import { isAcceptablePassword, PASSWORD_BYTES } from "./passwords.ts";
import { isOurUser, signUser } from "./records.ts";
import { endSubject } from "./sessions.ts";
import type { Issuer, Origin, TokenResponse } from "./types.ts";

/** The users of an issuer without an `authenticate` of its own. */
export function userCommands(ctx: Context): Issuer["users"] {
  return {
    async add({ username, password, scopes = [] }, options = {}) {
      const name = nameOf(username);
      requirePassword(password);
      if (!scopes.every((scope) => scopeSchema.safeParse(scope).success)) {
        throw invalidOption("scopes", "an array of scopes (RFC 6749 §3.3)", scopes);
      }
      const passwordHash = await ctx.passwords.hash(password);
      const facts = { username: name, subject: randomUUID(), passwordHash, scopes: [...scopes] };
      const user = signUser(ctx.secrets, { ...facts, createdAt: await ctx.store.now() });
      const outcome = await ctx.store.users.add(user, { onlyFirst: options.onlyFirst === true });
      if (outcome === "added") await ctx.record.audit("user_added", { subject: user.subject, detail: name });
      return outcome;
    },
    async setPassword(username, password) {
      requirePassword(password);
      const name = nameOf(username);
      const user = await provenUser(ctx, await ctx.store.users.get(name));
      if (user?.username !== name) return "unknown";
      await replacePassword(ctx, user, password);
      await endAfterChange(ctx, user.subject, null);
      return "changed";
    },
    async list({ after, limit = 100 } = {}) {
      const users = await ctx.store.users.list({ after, limit });
      return users
        .filter((user) => isOurUser(ctx.secrets, user))
        .map(({ username, subject, scopes, createdAt }) => ({ username, subject, scopes, createdAt }));
    },
  };
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
): Promise<TokenResponse | Refused> {
  return await withinLimits(ctx, subject, origin, async () => {
    const found = await ctx.store.users.getBySubject(subject);
    const user = found?.subject === subject ? found : null;
    let changed = await checkPassword(ctx, user, passwords.current);
    if (changed !== null) changed = await replacePassword(ctx, changed, passwords.wanted);
    else changed = await checkPassword(ctx, user, passwords.wanted);
    if (changed === null) return null;
    const { username, mac } = changed;
    await endAfterChange(ctx, subject, origin.source ?? null);
    return await openSession(ctx, origin, async () => {
      const now = await ctx.store.users.get(username);
      return now?.mac === mac ? now : null;
    });
  });
}

async function endAfterChange(ctx: Context, subject: string, source: string | null): Promise<void> {
  await endSubject(ctx, subject, "password_changed", source);
  await ctx.record.audit("password_changed", { subject, source });
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

/** Seals users again under the first secret; used when that secret is new. */
export async function resignUsers(ctx: Pick<Context, "store" | "secrets">): Promise<void> {
  for (let after: string | undefined; ;) {
    const users = await ctx.store.users.list({ after, limit: 100 });
    for (const user of users) {
      if (isOurUser(ctx.secrets, user)) await ctx.store.users.replace(signUser(ctx.secrets, user), user.mac);
    }
    after = users.at(-1)?.username;
    if (after === undefined) return;
  }
}
