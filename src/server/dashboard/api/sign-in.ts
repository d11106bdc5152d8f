import type { Context, Hono } from "hono";
import { z } from "zod";
import type { SignedIn } from "../../../dashboard/wire-api.ts";
import { toPlainRequest } from "../../../core/plain-http.ts";
import { readBody, stringSchema } from "../../../issuer/endpoints/body.ts";
import { oauthError } from "../../http/respond.ts";
import type { TokenResponse } from "../../../issuer/types.ts";
import { ADMIN_SCOPE } from "../../../issuer/users/administrators.ts";
import type { Service } from "../../service.ts";
import { addPostRoute, addressOf } from "./answer.ts";

const MAX_BODY_BYTES = 8_192;
const DEVICE_NAME = "Dashboard";

const loginSchema = z.strictObject({ username: stringSchema(), password: stringSchema() });
const renewSchema = z.strictObject({ refreshToken: stringSchema() });

/**
 * Lets an administrator of the store sign in on the page. The endpoints of the issuer do the work, so its login limits
 * and its answers are the same here. The session is a short one, because its tokens are in the memory of a page.
 */
export function addSignIn(app: Hono, service: Service): void {
  const bodyContext = { clock: service.platform.clock };
  addPostRoute(app, "/api/login", async (c) => {
    const { username, password } = await readBody(
      bodyContext,
      toPlainRequest(c.req.raw),
      loginSchema,
      MAX_BODY_BYTES,
    );
    const body = { username, password, remember: false, device_name: DEVICE_NAME };
    return await signedIn(service, await callIssuer(c, service, "/auth/login", body));
  });
  addPostRoute(app, "/api/refresh", async (c) => {
    const { refreshToken } = await readBody(
      bodyContext,
      toPlainRequest(c.req.raw),
      renewSchema,
      MAX_BODY_BYTES,
    );
    const response = await callIssuer(c, service, "/auth/refresh", { refresh_token: refreshToken });
    return await signedIn(service, response);
  });
  addPostRoute(app, "/api/logout", async (c) => {
    const { refreshToken } = await readBody(
      bodyContext,
      toPlainRequest(c.req.raw),
      renewSchema,
      MAX_BODY_BYTES,
    );
    return await callIssuer(c, service, "/auth/logout", { refresh_token: refreshToken });
  });
}

/** The request stays in this process. */
async function callIssuer(c: Context, { issuer }: Service, path: string, body: object): Promise<Response> {
  const request = new Request(`http://localhost${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  return await issuer.fetch(request, { source: addressOf(c), device: c.req.header("user-agent") });
}

/** A session without the rights of an administrator ends at once. Any other answer of the issuer passes as it is. */
async function signedIn({ issuer, platform }: Service, response: Response): Promise<Response> {
  if (response.status !== 200) return response;
  const tokens = (await response.json()) as TokenResponse;
  if (!tokens.scope.split(" ").includes(ADMIN_SCOPE)) {
    await issuer.endSession(tokens.session_id, "logout").catch(() => undefined);
    return oauthError(403, "insufficient_scope", `The user needs the scope ${ADMIN_SCOPE}.`);
  }
  const { access_token: accessToken, refresh_token: refreshToken, expires_in: expiresInS } = tokens;
  const expiresAt = platform.clock.now() + expiresInS * 1_000;
  const answer: SignedIn = { accessToken, refreshToken, expiresAt, subject: subjectOf(accessToken) };
  return Response.json(answer, { headers: { "Cache-Control": "no-store" } });
}

/** The token is this service's own, so its claims need no check. */
function subjectOf(accessToken: string): string {
  const [, payload = ""] = accessToken.split(".");
  const { sub } = JSON.parse(Buffer.from(payload, "base64url").toString()) as { sub: string };
  return sub;
}
