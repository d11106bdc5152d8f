import { rm } from "node:fs/promises";
import { systemEntropy } from "../core/entropy.ts";
import type { Issuer } from "../issuer/types.ts";
import { claimPrivateFile } from "./store/private-file.ts";

/**
 * Adds the first user when the store has no user: the configured one, or `admin` with a password from `passwordFile`.
 * Returns the line for the operator, or `null` when a user exists. The file has the password before the store has the user.
 * Processes that start together, or again after a crash, therefore use the same password.
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
    configured?.password ??
    (await claimPrivateFile(passwordFile, systemEntropy.bytes(18).toString("base64url")));
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
 * Returns whether the password opens the account. A service on another machine may have added the user with another password. A service that shares the directory uses the same password.
 */
async function canLogIn(
  { login, endSession }: Pick<Issuer, "login" | "endSession">,
  { username, password }: { username: string; password: string },
): Promise<boolean> {
  const outcome = await login({ username, password });
  if (outcome.status === "ok") await endSession(outcome.tokens.session_id);
  return outcome.status !== "denied";
}
