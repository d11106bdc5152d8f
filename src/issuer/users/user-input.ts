import { invalidOption } from "../../core/options.ts";
import type { IssuerBase } from "../issuer-base.ts";
import { userSchema } from "./credentials.ts";
import { normalizeUsername } from "./login-name.ts";
import { parsePasswordHash } from "./password-hash.ts";
import { isAcceptablePassword, PASSWORD_BYTES } from "./passwords.ts";

/** The normal form of the name. Throws `invalid_option`. */
export function requireUsername(ctx: IssuerBase, username: unknown): string {
  const name = typeof username === "string" ? normalizeUsername(ctx, username) : null;
  if (name !== null) return name;
  const blanks = ctx.config.loginNames === "exact" ? " or outer spaces" : "";
  throw invalidOption("username", `1 to 128 characters without control characters${blanks}`, username);
}

/** Throws `invalid_option`, without the password in its message. */
export function requirePassword(password: unknown): asserts password is string {
  if (typeof password === "string" && isAcceptablePassword(password)) return;
  throw invalidOption("password", `from ${PASSWORD_BYTES.min} to ${PASSWORD_BYTES.max} bytes`, password);
}

/** What the hash must be, when it cannot be imported. `null` when it can. The text never shows the hash. */
export function describeHashProblem(passwordHash: unknown): string | null {
  const { status } =
    typeof passwordHash === "string" ? parsePasswordHash(passwordHash) : { status: "unknown" };
  if (status === "known") return null;
  return status === "costly"
    ? "a hash whose verification takes at most about two seconds and 256 MiB"
    : "a hash of bcrypt, scrypt, PBKDF2 or Argon2 in a known spelling";
}

/** Throws `invalid_option`, without the hash in its message. */
export function requirePasswordHash(passwordHash: unknown): asserts passwordHash is string {
  const mustBe = describeHashProblem(passwordHash);
  if (mustBe !== null) throw invalidOption("passwordHash", mustBe, passwordHash);
}

/** A subject of the greatest length that the issuer gives to a user: a UUID. */
const LONGEST_SUBJECT = "0".repeat(36);

export function areAcceptableScopes(scopes: unknown): scopes is readonly string[] {
  return userSchema.safeParse({ subject: LONGEST_SUBJECT, scopes }).success;
}

/** Throws `invalid_option`. */
export function requireScopes(scopes: unknown): asserts scopes is readonly string[] {
  if (areAcceptableScopes(scopes)) return;
  throw invalidOption("scopes", "an array of scopes (RFC 6749 §3.3) that fits into a token", scopes);
}
