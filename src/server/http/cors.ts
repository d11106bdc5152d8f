import type { IncomingMessage, ServerResponse } from "node:http";
import { isVerifyRequest } from "../../gateway/gateway.ts";
import { corsHeaders, type CorsPolicy } from "../../issuer/endpoints/cors.ts";

/**
 * Adds the CORS headers to the answer before anything answers, so that errors have them too. Answers a preflight from a
 * listed origin, and returns whether it did. The requests of a proxy at `/verify` are left alone, because a policy
 * decides on their preflights.
 */
export function applyCors(policy: CorsPolicy, req: IncomingMessage, res: ServerResponse): boolean {
  if (policy.origins.size === 0 || isVerifyRequest(req)) return false;
  const { isPreflight, headers } = corsHeaders(policy, {
    method: req.method ?? "",
    origin: single(req.headers.origin),
    requestMethod: single(req.headers["access-control-request-method"]),
    requestHeaders: single(req.headers["access-control-request-headers"]),
  });
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
  if (isPreflight) res.writeHead(204).end();
  return isPreflight;
}

function single(value: string | string[] | undefined): string | null {
  return typeof value === "string" ? value : null;
}

const originLine = /\r\norigin:[ \t]*([^\r\n]{1,512})/i;

/**
 * Returns the CORS headers for a request that was too large, malformed or too slow to be read. The origin is taken from
 * the bytes that arrived last. When they do not show it, any page may read the answer, which contains no secret.
 */
export function corsOfUnreadRequest(policy: CorsPolicy, error: Error): Readonly<Record<string, string>> {
  if (policy.origins.size === 0) return {};
  const { rawPacket } = error as { rawPacket?: Buffer };
  const origin = originLine.exec(rawPacket?.toString("latin1") ?? "")?.[1]?.trimEnd() ?? null;
  const [only] = policy.origins;
  const assumed = origin ?? (policy.origins.size === 1 ? (only ?? null) : null);
  if (assumed === null) return { Vary: "Origin", "Access-Control-Allow-Origin": "*" };
  return corsHeaders(policy, { method: "", origin: assumed, requestMethod: null, requestHeaders: null })
    .headers;
}
