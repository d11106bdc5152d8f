import { optionError } from "../../core/option-checks.ts";
import { invalidOption } from "../../core/options.ts";
import type { UserRecord } from "../../stores/user-store.ts";
import type { IssuerBase } from "../issuer-base.ts";
import { userSchema } from "./credentials.ts";
import { isNewUsername, loginKeyOf, normalizeUsername } from "./login-name.ts";
import { parsePasswordHash } from "./password-hash.ts";
import { isAcceptablePassword, PASSWORD_BYTES } from "./passwords.ts";

/** The normal form of the name. Throws `invalid_option`. */
export function requireUsername(ctx: IssuerBase, username: unknown): string {
  const name = typeof username === "string" ? normalizeUsername(ctx, username) : null;
  if (name !== null) return name;
  throw invalidOption("username", usernameForm(ctx), username);
}

function usernameForm({ config }: IssuerBase): string {
  const blanks = config.loginNames === "exact" ? " or outer spaces" : "";
  return `1 to 128 characters without control characters${blanks}`;
}

/** The part of a new user that an administrator gives, apart from the password. */
type ReadUser =
  | {
      readonly status: "read";
      readonly user: Pick<UserRecord, "username" | "loginKey" | "subject" | "scopes">;
    }
  /** `mustBe` completes a sentence about the member. */
  | {
      readonly status: "refused";
      readonly member: "username" | "scopes";
      readonly mustBe: string;
      readonly value: unknown;
    };

/** Checks the name and the scopes of a user to add, and gives the user a subject. */
export function readNewUser(
  ctx: IssuerBase,
  { username, scopes = [] }: { readonly username: unknown; readonly scopes?: unknown },
): ReadUser {
  const refuse = (member: "username" | "scopes", mustBe: string, value: unknown): ReadUser => {
    return { status: "refused", member, mustBe, value };
  };
  const name = typeof username === "string" ? normalizeUsername(ctx, username) : null;
  if (name === null) return refuse("username", usernameForm(ctx), username);
  if (!isNewUsername(name)) return refuse("username", "neither . nor ..", username);
  if (!areAcceptableScopes(scopes)) return refuse("scopes", SCOPES_FORM, scopes);
  const user = {
    username: name,
    loginKey: loginKeyOf(ctx, name),
    subject: ctx.entropy.uuid(),
    scopes: [...new Set(scopes)],
  };
  return { status: "read", user };
}

/** Throws `invalid_option`, without the password in its message. */
export function requirePassword(password: unknown): asserts password is string {
  if (typeof password === "string" && isAcceptablePassword(password)) return;
  const mustBe = `from ${PASSWORD_BYTES.min} to ${PASSWORD_BYTES.max} bytes`;
  if (typeof password !== "string" || password === "") throw invalidOption("password", mustBe, password);
  throw optionError("password", mustBe, `${Buffer.byteLength(password)} bytes`);
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

const SCOPES_FORM = "an array of scopes (RFC 6749 §3.3) that fits into a token";

export function areAcceptableScopes(scopes: unknown): scopes is readonly string[] {
  return userSchema.safeParse({ subject: LONGEST_SUBJECT, scopes }).success;
}

/** Throws `invalid_option`. */
export function requireScopes(scopes: unknown): asserts scopes is readonly string[] {
  if (areAcceptableScopes(scopes)) return;
  throw invalidOption("scopes", SCOPES_FORM, scopes);
}
