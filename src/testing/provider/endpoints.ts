import type { Endpoint } from "./fault.ts";
import { errorResponse } from "./apply-fault.ts";
import type { ProviderTokens } from "./tokens.ts";

/** What the endpoints answer from. */
export interface ProviderState {
  issuer: string;
  readonly algorithm: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly bearer: string;
  jwksCacheControl: string | null;
  readonly tokens: ProviderTokens;
}

const paths: Readonly<Record<Endpoint, string>> = {
  discovery: "/.well-known/openid-configuration",
  metadata: "/.well-known/oauth-authorization-server",
  jwks: "/jwks",
  introspection: "/introspect",
  validate: "/auth/validate",
};

/** Of an endpoint. The issuer's own path is before the others, behind RFC 8414's (§3.1). */
export function endpointPath(endpoint: Endpoint, issuer: string): string {
  const own = new URL(issuer).pathname.replace(/\/$/, "");
  return endpoint === "metadata" ? paths.metadata + own : own + paths[endpoint];
}

export function findEndpoint(url: URL, issuer: string): Endpoint | undefined {
  return (Object.keys(paths) as Endpoint[]).find((name) => endpointPath(name, issuer) === url.pathname);
}

type Handler = (desk: ProviderState, request: Request) => Response | Promise<Response>;

const handlers: Readonly<Record<Endpoint, { get?: Handler; post?: Handler }>> = {
  discovery: { get: serveMetadata },
  metadata: { get: serveMetadata },
  jwks: { get: serveKeySet },
  introspection: { post: serveIntrospection },
  validate: { post: serveValidation },
};

/** The right answer. */
export async function answerRequest(
  desk: ProviderState,
  endpoint: Endpoint,
  request: Request,
): Promise<Response> {
  const { get, post } = handlers[endpoint];
  const handler = request.method === "POST" ? post : request.method === "GET" ? get : undefined;
  return (await handler?.(desk, request)) ?? errorResponse(405, "invalid_request");
}

/** RFC 8414 §2, OpenID Connect Discovery §3. Addresses are on the host that was asked: they lead through the same proxy. */
function serveMetadata({ issuer, algorithm }: ProviderState, request: Request): Response {
  const { origin } = new URL(request.url);
  return Response.json({
    issuer,
    jwks_uri: origin + endpointPath("jwks", issuer),
    introspection_endpoint: origin + endpointPath("introspection", issuer),
    introspection_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post"],
    response_types_supported: [],
    grant_types_supported: [],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: [algorithm],
  });
}

function serveKeySet({ jwksCacheControl, tokens }: ProviderState): Response {
  const headers = jwksCacheControl === null ? undefined : { "Cache-Control": jwksCacheControl };
  return Response.json(tokens.published(), headers && { headers });
}

/** RFC 7662 §2. */
async function serveIntrospection(desk: ProviderState, request: Request): Promise<Response> {
  if (!isType(request, "application/x-www-form-urlencoded")) return errorResponse(400, "invalid_request");
  const form = new URLSearchParams(await request.text());
  if (!isClient(desk, request, form)) return unauthorized();
  const token = form.get("token");
  if (token === null || form.getAll("token").length > 1) return errorResponse(400, "invalid_request");
  const known = desk.tokens.statusOf(token, desk.issuer);
  return Response.json(
    known.active ? { active: true, token_type: "Bearer", ...known.claims } : { active: false },
  );
}

async function serveValidation(desk: ProviderState, request: Request): Promise<Response> {
  if (!isClient(desk, request, new URLSearchParams())) return unauthorized();
  if (!isType(request, "application/json")) return errorResponse(415, "invalid_request");
  const body = (await request.json().catch(() => null)) as { token?: unknown } | null;
  if (typeof body?.token !== "string") return errorResponse(400, "invalid_request");
  const known = desk.tokens.statusOf(body.token, desk.issuer);
  return Response.json(
    known.active ? { valid: true, claims: known.claims } : { valid: false, reason: known.reason },
  );
}

function isType(request: Request, type: string): boolean {
  return request.headers.get("Content-Type")?.split(";", 1)[0]?.trim().toLowerCase() === type;
}

function unauthorized(): Response {
  const response = errorResponse(401, "invalid_client");
  response.headers.set("WWW-Authenticate", 'Basic realm="provider"');
  return response;
}

/** Exactly one way to authenticate (RFC 6749 §2.3): basic, post or a bearer token. */
function isClient(desk: ProviderState, request: Request, form: URLSearchParams): boolean {
  const header = request.headers.get("Authorization");
  const secret = form.get("client_secret");
  if (header === null) return form.get("client_id") === desk.clientId && secret === desk.clientSecret;
  if (secret !== null) return false;
  const [scheme = "", credentials = ""] = header.split(" ");
  if (scheme.toLowerCase() === "bearer") return credentials === desk.bearer;
  const [id, ...rest] = Buffer.from(credentials, "base64").toString().split(":");
  const given = [id ?? "", rest.join(":")].map(formDecode);
  return scheme.toLowerCase() === "basic" && given[0] === desk.clientId && given[1] === desk.clientSecret;
}

/** RFC 6749 §2.3.1: both are form-encoded before they are joined. */
function formDecode(text: string): string | null {
  return new URLSearchParams(`v=${text.replaceAll("&", "%26")}`).get("v");
}
