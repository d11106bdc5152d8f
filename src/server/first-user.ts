import { rm } from "node:fs/promises";
import { systemEntropy } from "../core/entropy.ts";
import type { Issuer } from "../issuer/types.ts";
import { parsePasswordHash } from "../issuer/users/password-hash.ts";
import type { Store } from "../stores/store.ts";
import { claimPrivateFile } from "./store/private-file.ts";

/**
 * Adds the first user when the store has no user: the configured one, or `admin` with a password from `passwordFile`.
 * Returns the line for the operator, or `null` when a user exists. The file has the password before the store has the user.
 * Processes that start together, or again after a crash, therefore use the same password.
 */
export async function ensureFirstUser(
  { issuer, store }: { readonly issuer: Pick<Issuer, "users">; readonly store: Pick<Store, "users"> },
  configured: { username: string; password: string } | undefined,
  passwordFile: string,
): Promise<string | null> {
  const users = await issuer.users.list({ limit: 1 });
  if (users.length > 0) return null;
  const username = configured?.username ?? "admin";
  const password =
    configured?.password ??
    (await claimPrivateFile(passwordFile, systemEntropy.bytes(18).toString("base64url")));
  const user = { username, password, scopes: ["holdfast:admin"] };
  if ((await issuer.users.add(user, { onlyFirst: true })) === "exists") {
    if (configured === undefined && !(await isPasswordOf(store, user)))
      await rm(passwordFile, { force: true });
    return null;
  }
  return configured === undefined
    ? `first user ${username}, password in ${passwordFile}`
    : `first user ${username}, as configured`;
}

/**
 * Returns whether the stored user has this password. A service on another machine may have added the user with another password.
 * A service that shares the directory uses the same password. The check is no login: a login would be audited, and
 * would count for the limits, although no person logs in.
 */
async function isPasswordOf(
  store: Pick<Store, "users">,
  { username, password }: { username: string; password: string },
): Promise<boolean> {
  const stored = await store.users.get(username);
  const parsed = stored === null ? null : parsePasswordHash(stored.passwordHash);
  return parsed?.status === "known" && (await parsed.verify(Buffer.from(password)));
}
