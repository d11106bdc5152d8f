import { z } from "zod";
import { HoldfastError } from "../../core/errors.ts";
import { isScopeToken } from "../../core/scopes.ts";
import { parseJsonObject } from "../../jwt/strict-json.ts";
import { withDeadline } from "../../resilience/deadline.ts";
import type { UserRecord } from "../../stores/user-store.ts";
import { lifetimeBounds } from "../client-config.ts";
import type { IssuerContext } from "../context.ts";
import { isAuthenticUser } from "../store/record-macs.ts";
import { rejectIfSecretReplaced } from "../store/secret-marker.ts";
import type { AuthenticatedUser, RequestInfo } from "../types.ts";
import { AUTHENTICATE_DEADLINE_MS } from "./authenticate-calls.ts";
import { findByLoginName } from "./login-name.ts";
import { PASSWORD_BYTES, type LoginTurn, type PoolTurn } from "./passwords.ts";

/** Size of an `AuthenticatedUser` as JSON. Its token must fit into a header and within the limit of every verifier. */
const MAX_USER_BYTES = 4096;

/** Claims that the issuer sets: RFC 7519 §4.1, RFC 9068 §2.2, RFC 7800 §3.1. */
const RESERVED_CLAIMS = "iss sub aud exp nbf iat jti client_id scope sid auth_time cnf".split(" ");

/** Whether every verifier reads the same value back: no lone surrogate, no `__proto__`, not too deep, not too large. */
function fitsInToken(user: AuthenticatedUser): boolean {
  const json = Buffer.from(JSON.stringify({ ...user, once: undefined }));
  return json.length <= MAX_USER_BYTES && parseJsonObject(json) !== null;
}

/** Node 22 reads a text from SQLite only up to its first NUL, which could make it the name of another user. */
export function hasNoNul(text: string): boolean {
  return !text.includes("\0");
}

const lifetimeSchema = z.int().min(lifetimeBounds.min, `is less than ${lifetimeBounds.min}`).optional();

export const userSchema: z.ZodType<AuthenticatedUser> = z
  .object({
    subject: z.string().min(1).max(255).refine(hasNoNul, "contains NUL"),
    scopes: z.array(z.string().refine(isScopeToken, "is not a scope")),
    claims: z
      .record(z.string(), z.json())
      .refine(
        (claims) => RESERVED_CLAIMS.every((name) => !Object.hasOwn(claims, name)),
        "contains a claim that the issuer sets",
      )
      .default({}),
    idleMs: lifetimeSchema,
    absoluteMs: lifetimeSchema,
    once: z.string().min(1).max(512).optional(),
  })
  .refine(fitsInToken, "does not fit into a token");

/** Returns the user of the credentials. `null` when they are wrong. Rejects when they could not be checked. */
export async function checkCredentials(
  ctx: IssuerContext,
  credentials: Readonly<Record<string, unknown>>,
  { signal }: RequestInfo,
  turn: LoginTurn,
): Promise<AuthenticatedUser | null> {
  const { authenticate } = ctx.config;
  if (authenticate !== undefined) {
    return await ctx.authenticateCalls.run(
      turn.place,
      async (track) => {
        const ask = async (call: { signal: AbortSignal }) =>
          await track(async () => await authenticate(credentials, call));
        return await askForUser(ctx, "authenticate", ask, { signal });
      },
      signal,
    );
  }
  const { username, password } = credentials;
  if (typeof username !== "string" || typeof password !== "string") return null;
  const user = await checkPassword(ctx, await findByLoginName(ctx, username), password, { ...turn, signal });
  if (user !== null) ctx.rehash.begin(user, password);
  return user;
}

/**
 * Takes as long when `user` is `null`, so that the time does not reveal whether a user exists. A disabled user gets the
 * answer for a wrong password, at the same time.
 */
export async function checkPassword(
  ctx: IssuerContext,
  user: UserRecord | null,
  password: string,
  turn?: PoolTurn,
): Promise<UserRecord | null> {
  if (Buffer.byteLength(password) > PASSWORD_BYTES.max) return null;
  const authentic = await verifyUserRecord(ctx, user);
  const matches = await ctx.passwords.verify(authentic?.passwordHash ?? null, password, turn);
  return matches && authentic?.disabledAt === null ? authentic : null;
}

/** Verifies the MAC of the record. Otherwise audits `record_tampered` and returns `null`. */
export async function verifyUserRecord(
  ctx: IssuerContext,
  user: UserRecord | null,
): Promise<UserRecord | null> {
  if (user === null || isAuthenticUser(ctx.secrets, user)) return user;
  await rejectIfSecretReplaced(ctx);
  await ctx.audit("record_tampered", { detail: "user" });
  return null;
}

/**
 * Refuses a subject that is the id of a client, so that no user can impersonate a service (RFC 9700 §4.15). When
 * `subject` is given, every other subject is refused, too.
 */
export function userSchemaFor({ config }: IssuerContext, subject?: string): z.ZodType<AuthenticatedUser> {
  return userSchema
    .refine(
      (user) => config.clients.every(({ id }) => id !== user.subject),
      "has the id of a client as its subject",
    )
    .refine((user) => subject === undefined || user.subject === subject, "has another subject");
}

/** Limits the time of a call to the application, and checks its answer. Rejects with `authenticate_failed` or `renew_failed`. */
export async function askForUser(
  ctx: IssuerContext,
  option: "authenticate" | "renew",
  ask: (call: { signal: AbortSignal }) => Promise<AuthenticatedUser | null> | AuthenticatedUser | null,
  { signal, subject }: { signal: AbortSignal | undefined; subject?: string },
): Promise<AuthenticatedUser | null> {
  try {
    const call = async (own: AbortSignal) => await ask({ signal: own });
    const answer = await withDeadline(ctx.clock, option, AUTHENTICATE_DEADLINE_MS, call, signal);
    // Inside `try`, because the answer of the application can have getters that throw.
    return answer === null ? null : userSchemaFor(ctx, subject).parse(answer);
  } catch (cause) {
    signal?.throwIfAborted();
    const [issue] = cause instanceof z.ZodError ? cause.issues : [];
    const message =
      issue === undefined
        ? `${option} threw or took too long`
        : `${option} returned an unusable value: ${issue.path.join(".")} ${issue.message}`;
    const code = `${option}_failed` as const;
    ctx.emit(code, message);
    throw new HoldfastError(code, message, { cause });
  }
}
