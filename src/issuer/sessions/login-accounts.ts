import { HoldfastError } from "../../core/errors.ts";
import type { IssuerContext } from "../context.ts";
import { foldLoginName, loginKeyOf, normalizeUsername } from "../users/login-name.ts";

/** Members by which credentials usually name an account. */
const usualMembers = ["username", "email", "login", "user", "phone", "account"] as const;

type Credentials = Readonly<Record<string, unknown>>;

/**
 * Returns the accounts that the credentials may mean, as login limits count them. Throws `authenticate_failed` when the
 * option `account` throws or returns something else than a text or `null`.
 */
export function accountsOf(ctx: IssuerContext, credentials: Credentials): readonly string[] {
  const { authenticate, account } = ctx.config;
  if (authenticate === undefined)
    return presentNames([credentials["username"]], (name) => loginKey(ctx, name));
  if (account !== undefined) return presentNames([askForAccount(ctx, account, credentials)], foldLoginName);
  // The issuer does not know which member `authenticate` reads, so a guess counts for every account that it names.
  const values = usualMembers.map((member) =>
    Object.hasOwn(credentials, member) ? credentials[member] : null,
  );
  return presentNames(values, foldLoginName);
}

function loginKey(ctx: IssuerContext, username: string): string | null {
  const name = normalizeUsername(ctx, username);
  return name === null ? null : loginKeyOf(ctx, name);
}

function presentNames(values: readonly unknown[], keyOf: (name: string) => string | null): string[] {
  const keys = values.map((value) => (typeof value === "string" && value !== "" ? keyOf(value) : null));
  return [...new Set(keys.filter((key) => key !== null))];
}

function askForAccount(
  ctx: IssuerContext,
  account: NonNullable<IssuerContext["config"]["account"]>,
  credentials: Credentials,
): string | null {
  let named: unknown;
  try {
    named = account(credentials);
  } catch (cause) {
    throw accountFailed(ctx, "account threw", cause);
  }
  if (named === null || typeof named === "string") return named;
  throw accountFailed(ctx, "account returned neither a string nor null");
}

function accountFailed(ctx: IssuerContext, message: string, cause?: unknown): HoldfastError {
  ctx.emit("authenticate_failed", message);
  return new HoldfastError("authenticate_failed", message, { cause });
}
