import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import type { Issuer } from "../issuer/types.ts";
import { claimPrivateFile } from "./store/private-file.ts";

/**
 * Makes the first user when there is none: the configured one, or `admin` with a password that is kept in
 * `passwordFile`. Returns what to tell people, or `null`. The password is in its file before the user exists:
 * processes that start at once, or again after a crash, agree on it.
 */
export async function ensureFirstUser(
  issuer: Pick<Issuer, "users" | "login" | "endSession">,
  configured: { username: string; password: string } | undefined,
  passwordFile: string,
): Promise<string | null> {
  const users = await issuer.users.list({ limit: 1 });
  if (users.length > 0) return null;
  const username = configured?.username ?? "admin";
  const password =
    configured?.password ?? (await claimPrivateFile(passwordFile, randomBytes(18).toString("base64url")));
  const user = { username, password, scopes: ["holdfast:admin"] };
  if ((await issuer.users.add(user, { onlyFirst: true })) === "exists") {
    if (configured === undefined && !(await canLogIn(issuer, user))) await rm(passwordFile, { force: true });
    return null;
  }
  return configured === undefined
    ? `first user ${username}, password in ${passwordFile}`
    : `first user ${username}, as configured`;
}

/**
 * Whether it logs in. A service on another machine may have been first, with a password of its own: a file with one
 * that opens nothing would mislead. One that shares the folder has this one.
 */
async function canLogIn(
  { login, endSession }: Pick<Issuer, "login" | "endSession">,
  { username, password }: { username: string; password: string },
): Promise<boolean> {
  const outcome = await login({ username, password });
  if (outcome.status === "ok") await endSession(outcome.tokens.session_id);
  return outcome.status !== "denied";
}
