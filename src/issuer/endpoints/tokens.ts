import type { PlainResponse } from "../../core/plain-http.ts";
import { z } from "zod";
import type { IssuerContext } from "../context.ts";
import type { DefiniteOutcome } from "../issuer-base.ts";
import { login } from "../sessions/login.ts";
import { acknowledge, refresh } from "../sessions/refresh.ts";
import type { LoginOutcome, RefreshOutcome } from "../types.ts";
import { isAcceptablePassword, PASSWORD_BYTES } from "../users/passwords.ts";
import { changeOwnPassword } from "../users/users.ts";
import { parseBody, readBody, refreshBody, refreshTokenBody, resourceSchema, stringSchema } from "./body.ts";
import { requireSession } from "./client-auth.ts";
import type { EndpointCall } from "./endpoint.ts";
import {
  emptyResponse,
  invalidGrant,
  invalidTarget,
  jsonResponse,
  oauthError,
  tooManyRequests,
} from "./respond.ts";

const anyObject = z.record(z.string(), z.unknown(), "must be an object");
const credentials = z.looseObject(
  {
    username: stringSchema(),
    password: stringSchema(),
    remember: z.boolean("must be a boolean").optional(),
    device_name: stringSchema().optional(),
  },
  "must be an object",
);
const withResource = z.looseObject({ resource: resourceSchema }, "must be an object");
const newPassword = stringSchema().refine(
  isAcceptablePassword,
  `must be ${PASSWORD_BYTES.min} to ${PASSWORD_BYTES.max} bytes`,
);
const passwordBody = z.object(
  { current_password: stringSchema(), new_password: newPassword },
  "must be an object",
);

/** With `authenticate`, the application decides which members the credentials have. */
export async function loginEndpoint(
  ctx: IssuerContext,
  { request, requestInfo }: EndpointCall,
): Promise<PlainResponse> {
  const schema = ctx.config.authenticate === undefined ? credentials : anyObject;
  const body = await readBody(ctx, request, schema);
  const { resource: resources } = parseBody(body, withResource);
  const { device_name: name } = body;
  const deviceName = typeof name === "string" ? name : undefined;
  return loginResponse(await login(ctx, body, { ...requestInfo, resources, deviceName }));
}

export async function passwordEndpoint(
  ctx: IssuerContext,
  { request, requestInfo }: EndpointCall,
): Promise<PlainResponse> {
  const session = await requireSession(ctx, request);
  const body = await readBody(ctx, request, passwordBody);
  const passwords = { current: body.current_password, next: body.new_password };
  return loginResponse(await changeOwnPassword(ctx, session, passwords, requestInfo));
}

/** An unknown user and a wrong password get the same response. */
function loginResponse(outcome: DefiniteOutcome<LoginOutcome>): PlainResponse {
  if (outcome.status === "ok") return jsonResponse(200, outcome.tokens);
  if (outcome.status === "limited") return tooManyRequests(outcome.retryAfterMs);
  if (outcome.status === "invalid_target") return invalidTarget();
  return oauthError(401, "invalid_credentials", "The credentials are not valid.");
}

export async function refreshEndpoint(
  ctx: IssuerContext,
  { request, requestInfo }: EndpointCall,
): Promise<PlainResponse> {
  const body = await readBody(ctx, request, refreshBody);
  const { refresh_token: token, acknowledge: asked = false, resource: resources } = body;
  return refreshResponse(ctx, await refresh(ctx, token, { ...requestInfo, resources }), asked);
}

/** `asked` is whether the client announced an acknowledgement. With strict rotation nothing waits for it. */
export function refreshResponse(
  ctx: IssuerContext,
  outcome: DefiniteOutcome<RefreshOutcome>,
  asked: boolean,
): PlainResponse {
  if (outcome.status === "ok") {
    const isAwaited = asked && ctx.config.lostAnswerMs > 0;
    return jsonResponse(200, isAwaited ? { ...outcome.tokens, acknowledge: true } : outcome.tokens);
  }
  if (outcome.status === "invalid_grant") return invalidGrant();
  if (outcome.status === "invalid_target") return invalidTarget();
  return oauthError(
    409,
    "refresh_conflict",
    "A newer refresh token is already in use: read the token store again.",
  );
}

/** 204 once the acknowledgement is durable, and also when there was nothing to acknowledge. */
export async function acknowledgeEndpoint(
  ctx: IssuerContext,
  { request }: EndpointCall,
): Promise<PlainResponse> {
  const { refresh_token: token } = await readBody(ctx, request, refreshTokenBody);
  const { status } = await acknowledge(ctx, token);
  return status === "ok" ? emptyResponse(204) : invalidGrant();
}
