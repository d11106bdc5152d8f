import { z } from "zod";
import type { Context } from "../context.ts";
import type { Decided } from "../foundation.ts";
import { login } from "../login.ts";
import { isAcceptablePassword, PASSWORD_BYTES } from "../passwords.ts";
import { refresh } from "../refresh.ts";
import type { LoginOutcome, RefreshOutcome } from "../types.ts";
import { changeOwnPassword } from "../users.ts";
import type { Call } from "./call.ts";
import { requireBearer } from "./authorization.ts";
import { readBody, refreshTokenBody, text } from "./body.ts";
import { invalidGrant, json, problem, tooMany } from "./respond.ts";

const anyObject = z.record(z.string(), z.unknown(), "must be an object");
const credentials = z.looseObject({ username: text(), password: text() }, "must be an object");
const newPassword = text().refine(
  isAcceptablePassword,
  `must be ${PASSWORD_BYTES.min} to ${PASSWORD_BYTES.max} bytes`,
);
const passwordBody = z.object({ current_password: text(), new_password: newPassword }, "must be an object");

/** An application's own `authenticate` decides what credentials are made of. */
export async function loginEndpoint(ctx: Context, { request, origin }: Call): Promise<Response> {
  const schema = ctx.config.authenticate === undefined ? credentials : anyObject;
  const body = await readBody(ctx, request, schema);
  return loginResponse(await login(ctx, body, origin));
}

export async function passwordEndpoint(ctx: Context, { request, origin }: Call): Promise<Response> {
  const { subject } = await requireBearer(ctx, request);
  const body = await readBody(ctx, request, passwordBody);
  const passwords = { current: body.current_password, wanted: body.new_password };
  return loginResponse(await changeOwnPassword(ctx, subject, passwords, origin));
}

/** Unknown user and wrong password: the same answer. */
function loginResponse(outcome: Decided<LoginOutcome>): Response {
  if (outcome.status === "ok") return json(200, outcome.tokens);
  if (outcome.status === "limited") return tooMany(outcome.retryAfterMs);
  return problem(401, "invalid_credentials", "The credentials are not valid.");
}

export async function refreshEndpoint(ctx: Context, { request, origin }: Call): Promise<Response> {
  const { refresh_token: token } = await readBody(ctx, request, refreshTokenBody);
  return refreshResponse(await refresh(ctx, token, origin));
}

export function refreshResponse(outcome: Decided<RefreshOutcome>): Response {
  if (outcome.status === "ok") return json(200, outcome.tokens);
  if (outcome.status === "invalid_grant") return invalidGrant();
  return problem(409, "refresh_conflict", "A newer refresh token is in use already: read it again.");
}
