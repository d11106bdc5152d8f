import { z } from "zod";
import type { Context } from "../context.ts";
import type { Endpoint } from "./app.ts";
import { createClientCheck } from "./authorization.ts";
import { readBody, text } from "./body.ts";
import { json } from "./respond.ts";

const tokenBody = z.object({ token: text() }, "must be an object");

/** For services that ask the issuer instead of proving tokens themselves. */
export function validateEndpoint(ctx: Context): Endpoint {
  const requireClient = createClientCheck(ctx.config.clients);
  return async ({ request }) => {
    requireClient(request);
    const { token } = await readBody(ctx, request, tokenBody);
    const access = await ctx.access.check(token);
    if (access.status === "valid") return json(200, { valid: true, claims: access.claims });
    return json(200, { valid: false, reason: access.reason });
  };
}

export function jwksEndpoint(ctx: Context): Endpoint {
  return async () => json(200, await ctx.keys.jwks(), { "Cache-Control": "public, max-age=300" });
}

/** RFC 8414 §2, and only what exists. */
export function metadataEndpoint(ctx: Context): Endpoint {
  const base = ctx.config.url.replace(/\/$/, "");
  const metadata = {
    issuer: ctx.config.url,
    jwks_uri: `${base}/.well-known/jwks.json`,
    response_types_supported: [],
    grant_types_supported: [],
  };
  return async () => await Promise.resolve(json(200, metadata));
}
