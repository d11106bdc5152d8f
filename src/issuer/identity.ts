import { z } from "zod";
import { HoldfastError } from "../core/errors.ts";
import { parseJsonObject } from "../jwt/json.ts";
import { withDeadline } from "../resilience/deadline.ts";
import type { UserRecord } from "../stores/contracts.ts";
import type { Context } from "./context.ts";
import { PASSWORD_BYTES } from "./passwords.ts";
import { isOurUser } from "./records.ts";
import { isScope } from "./scopes.ts";
import type { Authenticate, Identity, Origin } from "./types.ts";

/** How long `authenticate` may take, in milliseconds. */
const AUTHENTICATE_DEADLINE_MS = 10_000;

/** Of an identity as JSON. Its token must fit into a header, and every verifier's limit. */
const MAX_IDENTITY_BYTES = 4096;

/** Ours to say: RFC 7519 §4.1, RFC 9068 §2.2, RFC 7800 §3.1. */
const REGISTERED = "iss sub aud exp nbf iat jti client_id scope sid auth_time cnf".split(" ");

/** What every verifier reads back as it was: no half surrogate pair, no `__proto__`, not too deep, not too large. */
function fitsToken(identity: Identity): boolean {
  const json = Buffer.from(JSON.stringify(identity));
  return json.length <= MAX_IDENTITY_BYTES && parseJsonObject(json) !== null;
}

/** Node 22 reads a text from SQLite up to its first NUL: it would be another's name. */
export function hasNoNul(text: string): boolean {
  return !text.includes("\0");
}

export const identitySchema: z.ZodType<Identity> = z
  .object({
    subject: z.string().min(1).max(255).refine(hasNoNul, "holds a NUL"),
    scopes: z.array(z.string().refine(isScope, "is no scope")),
    claims: z
      .record(z.string(), z.json())
      .refine((claims) => REGISTERED.every((name) => !Object.hasOwn(claims, name)), "holds a registered name")
      .default({}),
  })
  .refine(fitsToken, "does not fit into a token");

/** Whose credentials these are; `null` when they are wrong. Throws what kept us from finding out. */
export async function identify(
  ctx: Context,
  credentials: Readonly<Record<string, unknown>>,
  { signal }: Origin,
): Promise<Identity | null> {
  const { authenticate } = ctx.config;
  if (authenticate !== undefined) return await ask(ctx, authenticate, credentials, signal);
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
  await ctx.audit("record_tampered", { detail: "user" });
  return null;
}

/** The one spelling of a name, or `null` for what cannot be one: 1 to 128 characters, none that controls. */
export function normalUsername(username: string): string | null {
  const name = username.normalize("NFKC");
  return /^[^\p{Cc}\p{Cf}\p{Cs}]{1,128}$/u.test(name) && name.trim() === name ? name : null;
}

/** A user must not pass for a service, nor a service for a user (RFC 9700 §4.15). */
function identityBeside({ config }: Context): z.ZodType<Identity> {
  const free = ({ subject }: Identity) => config.clients.every(({ id }) => id !== subject);
  return identitySchema.refine(free, "has the id of a client as its subject");
}

async function ask(
  ctx: Context,
  authenticate: Authenticate,
  credentials: Readonly<Record<string, unknown>>,
  signal: AbortSignal | undefined,
): Promise<Identity | null> {
  const call = async (own: AbortSignal) => await authenticate(credentials, { signal: own });
  try {
    const answer = await withDeadline(ctx.clock, "authenticate", AUTHENTICATE_DEADLINE_MS, call, signal);
    // Reading the answer runs their code too: it may have getters.
    return answer === null ? null : identityBeside(ctx).parse(answer);
  } catch (cause) {
    signal?.throwIfAborted();
    const [issue] = cause instanceof z.ZodError ? cause.issues : [];
    const message =
      issue === undefined
        ? "authenticate threw or took too long"
        : `authenticate answered nonsense: ${issue.path.join(".")} ${issue.message}`;
    ctx.report("authenticate_failed", message);
    throw new HoldfastError("authenticate_failed", message, { cause });
  }
}
