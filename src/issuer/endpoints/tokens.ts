import { z } from "zod";
import type { Context } from "../context.ts";
import { login } from "../login.ts";
import { isAcceptablePassword, PASSWORD_BYTES } from "../passwords.ts";
import { refresh } from "../refresh.ts";
import type { LoginOutcome } from "../types.ts";
import { changeOwnPassword } from "../users.ts";
import { requireBearer } from "./authorization.ts";
import { readBody } from "./body.ts";
import { invalidGrant, json, problem, tooMany, unavailable } from "./respond.ts";
import type { Endpoint } from "./app.ts";

const anyObject: z.ZodType<Record<string, unknown>> = z.record(z.string(), z.unknown(), "must be an object");
const text = (): z.ZodString => z.string("must be a string");
const credentials = z.looseObject({ username: text(), password: text() }, "must be an object");
const refreshBody = z.object({ refresh_token: text() }, "must be an object");
const passwordBody = z.object(
  {
    current_password: text(),
    new_password: text().refine(
      isAcceptablePassword,
      `must be ${PASSWORD_BYTES.min} to ${PASSWORD_BYTES.max} bytes`,
    ),
  },
  "must be an object",
);

/** An application's own `authenticate` decides what credentials are made of. */
export function loginEndpoint(ctx: Context): Endpoint {
  const schema = ctx.config.authenticate === undefined ? credentials : anyObject;
  return async ({ request, origin }) => {
    const body = await readBody<Record<string, unknown>>(request, schema);
    return body instanceof Response ? body : loginResponse(await login(ctx, body, origin));
  };
}

export function refreshEndpoint(ctx: Context): Endpoint {
  return async ({ request, origin }) => {
    const body = await readBody(request, refreshBody);
    if (body instanceof Response) return body;
    const outcome = await refresh(ctx, body.refresh_token, origin);
    if (outcome.status === "ok") return json(200, outcome.tokens);
    if (outcome.status === "unavailable") return unavailable(outcome.retryAfterMs);
    if (outcome.status === "invalid_grant") return invalidGrant();
    return problem(409, "refresh_conflict", "A newer refresh token is in use already: read it again.");
  };
}

export function passwordEndpoint(ctx: Context): Endpoint {
  return async ({ request, origin, tokens }) => {
    const access = await requireBearer(tokens, request);
    if (access instanceof Response) return access;
    const body = await readBody(request, passwordBody);
    if (body instanceof Response) return body;
    const passwords = { current: body.current_password, wanted: body.new_password };
    const result = await changeOwnPassword(ctx, access.session.subject, passwords, origin);
    return loginResponse("access_token" in result ? { status: "ok", tokens: result } : result);
  };
}

/** Unknown user and wrong password: the same answer. */
function loginResponse(outcome: LoginOutcome): Response {
  if (outcome.status === "ok") return json(200, outcome.tokens);
  if (outcome.status === "unavailable") return unavailable(outcome.retryAfterMs);
  if (outcome.status === "limited") return tooMany(outcome.retryAfterMs);
  return problem(401, "invalid_credentials", "The credentials are not valid.");
}
