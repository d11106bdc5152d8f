import { HoldfastError } from "../../core/errors.ts";
import { narrowAudience } from "../audiences.ts";
import type { IssuerContext } from "../context.ts";
import type { DefiniteOutcome } from "../issuer-base.ts";
import type { AuthenticatedUser, BeginOutcome, RequestInfo } from "../types.ts";
import { userSchemaFor, verifyUserRecord } from "../users/credentials.ts";
import { checkAndBeginSession, PROOF_USED } from "./login.ts";

/** Returns the user without other members. Throws `invalid_option` unless `authenticate` may return the user. */
export function requireUser(ctx: IssuerContext, given: AuthenticatedUser): AuthenticatedUser {
  const parsed = userSchemaFor(ctx).safeParse(given);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const message = `beginSession: the user is unusable: ${issue?.path.join(".")} ${issue?.message}`;
  throw new HoldfastError("invalid_option", message);
}

/** Begins a session for a user whom the application has authenticated. */
export async function beginSessionOf(
  ctx: IssuerContext,
  given: AuthenticatedUser,
  requestInfo: RequestInfo,
): Promise<DefiniteOutcome<BeginOutcome>> {
  const isTarget = narrowAudience(ctx.config.audience, requestInfo.resources) !== null;
  if (!isTarget) return { status: "invalid_target" };
  const user = { ...given, begun: true } as const;
  const check = async () => ((await isDisabled(ctx, user.subject)) ? null : user);
  const tokens = await checkAndBeginSession(ctx, requestInfo, check);
  if (tokens !== null && tokens !== "used") return { status: "ok", tokens };
  const detail = tokens === "used" ? PROOF_USED : null;
  await ctx.audit("login_refused", { subject: user.subject, source: requestInfo.source, detail });
  return { status: "denied" };
}

/** Whether the subject is a disabled user of the store. */
async function isDisabled(ctx: IssuerContext, subject: string): Promise<boolean> {
  if (ctx.config.authenticate !== undefined) return false;
  const user = await verifyUserRecord(ctx, await ctx.store.users.getBySubject(subject));
  return user?.subject === subject && user.disabledAt !== null;
}
