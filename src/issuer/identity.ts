import { z } from "zod";
import { HoldfastError } from "../core/errors.ts";
import { withDeadline } from "../resilience/deadline.ts";
import type { UserRecord } from "../stores/contracts.ts";
import type { Context } from "./context.ts";
import { PASSWORD_BYTES } from "./passwords.ts";
import { isOurUser } from "./records.ts";
import type { Authenticate, Identity, Origin } from "./types.ts";

/** How long `authenticate` may take, in milliseconds. */
const AUTHENTICATE_DEADLINE_MS = 10_000;

/** Of `claims` as JSON. A token must fit into a header, and every verifier's limit. */
const MAX_CLAIMS_CHARS = 4096;

/** Ours to say: RFC 7519 §4.1, RFC 9068 §2.2, RFC 7800 §3.1. */
const REGISTERED: readonly string[] = "iss sub aud exp nbf iat jti client_id scope sid auth_time cnf".split(
  " ",
);

/** RFC 6749 §3.3. */
export const scopeSchema: z.ZodType<string> = z.string().regex(/^[\x21\x23-\x5B\x5D-\x7E]+$/);
const identitySchema: z.ZodType<Identity | null> = z
  .object({
    subject: z.string().min(1).max(255),
    scopes: z.array(scopeSchema),
    claims: z
      .record(z.string(), z.json())
      .refine((claims) => JSON.stringify(claims).length <= MAX_CLAIMS_CHARS, "is too large for a token")
      .refine((claims) => REGISTERED.every((name) => !Object.hasOwn(claims, name)), "holds a registered name")
      .default({}),
  })
  .nullable();

/** Whose credentials these are; `null` when they are wrong. Throws what kept us from finding out. */
export async function identify(
  ctx: Context,
  credentials: Readonly<Record<string, unknown>>,
  origin: Origin,
): Promise<Identity | null> {
  const { authenticate } = ctx.config;
  if (authenticate !== undefined) return await ask(ctx, authenticate, credentials, origin.signal);
  const { username, password } = credentials;
  if (typeof username !== "string" || typeof password !== "string") return null;
  const name = normalUsername(username);
  const user = name === null ? null : await ctx.store.users.get(name);
  return await checkPassword(ctx, user?.username === name ? user : null, password);
}

/** As slow for a user who does not exist. */
export async function checkPassword(
  ctx: Context,
  user: UserRecord | null,
  password: string,
): Promise<UserRecord | null> {
  if (Buffer.byteLength(password) > PASSWORD_BYTES.max) return null;
  const genuine = await provenUser(ctx, user);
  const right = await ctx.passwords.verify(genuine?.passwordHash ?? null, password);
  return right ? genuine : null;
}

/** `null` and an alarm when the record is not as we made it. */
export async function provenUser(ctx: Context, user: UserRecord | null): Promise<UserRecord | null> {
  if (user === null || isOurUser(ctx.secrets, user)) return user;
  await ctx.record.audit("record_tampered", { detail: "user" });
  return null;
}

/** The one spelling of a name, or `null` for what cannot be one: 1 to 128 characters, none that controls. */
export function normalUsername(username: string): string | null {
  const name = username.normalize("NFKC");
  return /^[^\p{Cc}\p{Cf}\p{Cs}]{1,128}$/u.test(name) && name.trim() === name ? name : null;
}

async function ask(
  ctx: Context,
  authenticate: Authenticate,
  credentials: Readonly<Record<string, unknown>>,
  signal: AbortSignal | undefined,
): Promise<Identity | null> {
  let answer: unknown;
  try {
    const call = async (own: AbortSignal) => await authenticate(credentials, { signal: own });
    answer = await withDeadline(ctx.clock, "authenticate", AUTHENTICATE_DEADLINE_MS, call, signal);
  } catch (cause) {
    signal?.throwIfAborted();
    throw failed(ctx, "authenticate threw or took too long", cause);
  }
  const identity = identitySchema.safeParse(answer);
  if (identity.success) return identity.data;
  const [issue] = identity.error.issues;
  throw failed(ctx, `authenticate answered nonsense: ${issue?.path.join(".")} ${issue?.message}`);
}

function failed(ctx: Context, message: string, cause?: unknown): HoldfastError {
  ctx.record.report("authenticate_failed", message);
  return new HoldfastError("authenticate_failed", message, { cause });
}
