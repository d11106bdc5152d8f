import type { Endpoint } from "./fault.ts";
import { errorResponse } from "./apply-fault.ts";
import type { ProviderTokens } from "./tokens.ts";

/** The state that the endpoints answer from. */
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

/** Path of an endpoint. The issuer's path precedes it, except that it follows the path of RFC 8414 (§3.1). */
export function endpointPath(endpoint: Endpoint, issuer: string): string {
  const issuerPath = new URL(issuer).pathname.replace(/\/$/, "");
  return endpoint === "metadata" ? paths.metadata + issuerPath : issuerPath + paths[endpoint];
}

export function findEndpoint(url: URL, issuer: string): Endpoint | undefined {
  return (Object.keys(paths) as Endpoint[]).find((name) => endpointPath(name, issuer) === url.pathname);
}

type Handler = (state: ProviderState, request: Request) => Response | Promise<Response>;

const handlers: Readonly<Record<Endpoint, { get?: Handler; post?: Handler }>> = {
  discovery: { get: serveMetadata },
  metadata: { get: serveMetadata },
  jwks: { get: serveKeySet },
  introspection: { post: serveIntrospection },
  validate: { post: serveValidation },
};

/** Answers a request without faults. */
export async function answerRequest(
  state: ProviderState,
  endpoint: Endpoint,
  request: Request,
): Promise<Response> {
  const { get, post } = handlers[endpoint];
  const handler = request.method === "POST" ? post : request.method === "GET" ? get : undefined;
  return (await handler?.(state, request)) ?? errorResponse(405, "invalid_request");
}

/** RFC 8414 §2, OpenID Connect Discovery §3. Addresses name the requested host, so that they lead through the same proxy. */
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
async function serveIntrospection(state: ProviderState, request: Request): Promise<Response> {
  if (!isType(request, "application/x-www-form-urlencoded")) return errorResponse(400, "invalid_request");
  const form = new URLSearchParams(await request.text());
  if (!isClient(state, request, form)) return unauthorized();
  const token = form.get("token");
  if (token === null || form.getAll("token").length > 1) return errorResponse(400, "invalid_request");
  const status = state.tokens.statusOf(token, state.issuer);
  return Response.json(
    status.active ? { active: true, token_type: "Bearer", ...status.claims } : { active: false },
  );
}

async function serveValidation(state: ProviderState, request: Request): Promise<Response> {
  if (!isClient(state, request, new URLSearchParams())) return unauthorized();
  if (!isType(request, "application/json")) return errorResponse(415, "invalid_request");
  const body = (await request.json().catch(() => null)) as { token?: unknown } | null;
  if (typeof body?.token !== "string") return errorResponse(400, "invalid_request");
  const status = state.tokens.statusOf(body.token, state.issuer);
  return Response.json(
    status.active ? { valid: true, claims: status.claims } : { valid: false, reason: status.reason },
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

/** Requires exactly one method of authentication (RFC 6749 §2.3): basic, post or a bearer token. */
function isClient(state: ProviderState, request: Request, form: URLSearchParams): boolean {
  const header = request.headers.get("Authorization");
  const secret = form.get("client_secret");
  if (header === null) return form.get("client_id") === state.clientId && secret === state.clientSecret;
  if (secret !== null) return false;
  const [scheme = "", credentials = ""] = header.split(" ");
  if (scheme.toLowerCase() === "bearer") return credentials === state.bearer;
  const [id, ...rest] = Buffer.from(credentials, "base64").toString().split(":");
  const given = [id ?? "", rest.join(":")].map(formDecode);
  return scheme.toLowerCase() === "basic" && given[0] === state.clientId && given[1] === state.clientSecret;
}

/** Decodes the client's identifier or secret, which are form-encoded in HTTP Basic (RFC 6749 §2.3.1). */
function formDecode(text: string): string | null {
  return new URLSearchParams(`v=${text.replaceAll("&", "%26")}`).get("v");
}
