import { randomBytes } from "node:crypto";
import type { Issuer } from "../issuer/types.ts";
import { claimPrivate } from "./private-file.ts";

/**
 * Makes the first user when there is none: the configured one, or `admin` with a password that is kept in
 * `passwordFile`. Returns what to tell people, or `null`. The password is in its file before the user exists:
 * processes that start at once, or again after a crash, agree on it.
 */
export async function ensureFirstUser(
  issuer: Pick<Issuer, "users">,
  configured: { username: string; password: string } | undefined,
  passwordFile: string,
): Promise<string | null> {
  const users = await issuer.users.list({ limit: 1 });
  if (users.length > 0) return null;
  const username = configured?.username ?? "admin";
  const password =
    configured?.password ?? (await claimPrivate(passwordFile, randomBytes(18).toString("base64url")));
  const user = { username, password, scopes: ["holdfast:admin"] };
  if ((await issuer.users.add(user, { onlyFirst: true })) === "exists") return null;
  return configured === undefined
    ? `first user ${username}, password in ${passwordFile}`
    : `first user ${username}, as configured`;
}
