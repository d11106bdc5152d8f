import type { Endpoint } from "./fault.ts";
import { problem } from "./spoil.ts";
import type { ProviderTokens } from "./tokens.ts";

/** What the endpoints answer from. */
export interface Desk {
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
export function pathOf(endpoint: Endpoint, issuer: string): string {
  const own = new URL(issuer).pathname.replace(/\/$/, "");
  return endpoint === "metadata" ? paths.metadata + own : own + paths[endpoint];
}

export function endpointAt(url: URL, issuer: string): Endpoint | undefined {
  return (Object.keys(paths) as Endpoint[]).find((name) => pathOf(name, issuer) === url.pathname);
}

type Handler = (desk: Desk, request: Request) => Response | Promise<Response>;

const handlers: Readonly<Record<Endpoint, { get?: Handler; post?: Handler }>> = {
  discovery: { get: metadata },
  metadata: { get: metadata },
  jwks: { get: keySet },
  introspection: { post: introspection },
  validate: { post: validation },
};

/** The right answer. */
export async function answer(desk: Desk, endpoint: Endpoint, request: Request): Promise<Response> {
  const { get, post } = handlers[endpoint];
  const handler = request.method === "POST" ? post : request.method === "GET" ? get : undefined;
  return (await handler?.(desk, request)) ?? problem(405, "invalid_request");
}

/** RFC 8414 §2, OpenID Connect Discovery §3. Addresses are on the host that was asked: they lead through the same proxy. */
function metadata({ issuer, algorithm }: Desk, request: Request): Response {
  const { origin } = new URL(request.url);
  return Response.json({
    issuer,
    jwks_uri: origin + pathOf("jwks", issuer),
    introspection_endpoint: origin + pathOf("introspection", issuer),
    introspection_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post"],
    response_types_supported: [],
    grant_types_supported: [],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: [algorithm],
  });
}

function keySet({ jwksCacheControl, tokens }: Desk): Response {
  const headers = jwksCacheControl === null ? undefined : { "Cache-Control": jwksCacheControl };
  return Response.json(tokens.published(), headers && { headers });
}

/** RFC 7662 §2. */
async function introspection(desk: Desk, request: Request): Promise<Response> {
  if (!isType(request, "application/x-www-form-urlencoded")) return problem(400, "invalid_request");
  const form = new URLSearchParams(await request.text());
  if (!isClient(desk, request, form)) return unauthorized();
  const token = form.get("token");
  if (token === null || form.getAll("token").length > 1) return problem(400, "invalid_request");
  const known = desk.tokens.find(token, desk.issuer);
  return Response.json(
    known.active ? { active: true, token_type: "Bearer", ...known.claims } : { active: false },
  );
}

async function validation(desk: Desk, request: Request): Promise<Response> {
  if (!isClient(desk, request, new URLSearchParams())) return unauthorized();
  if (!isType(request, "application/json")) return problem(415, "invalid_request");
  const body = (await request.json().catch(() => null)) as { token?: unknown } | null;
  if (typeof body?.token !== "string") return problem(400, "invalid_request");
  const known = desk.tokens.find(body.token, desk.issuer);
  return Response.json(
    known.active ? { valid: true, claims: known.claims } : { valid: false, reason: known.reason },
  );
}

function isType(request: Request, type: string): boolean {
  return request.headers.get("Content-Type")?.split(";", 1)[0]?.trim().toLowerCase() === type;
}

function unauthorized(): Response {
  const response = problem(401, "invalid_client");
  response.headers.set("WWW-Authenticate", 'Basic realm="provider"');
  return response;
}

/** Exactly one way to authenticate (RFC 6749 §2.3): basic, post or a bearer token. */
function isClient(desk: Desk, request: Request, form: URLSearchParams): boolean {
  const header = request.headers.get("Authorization");
  const secret = form.get("client_secret");
  if (header === null) return form.get("client_id") === desk.clientId && secret === desk.clientSecret;
  if (secret !== null) return false;
  const [scheme = "", credentials = ""] = header.split(" ");
  if (scheme.toLowerCase() === "bearer") return credentials === desk.bearer;
  const [id, ...rest] = Buffer.from(credentials, "base64").toString().split(":");
  const given = [id ?? "", rest.join(":")].map(formDecoded);
  return scheme.toLowerCase() === "basic" && given[0] === desk.clientId && given[1] === desk.clientSecret;
}

/** RFC 6749 §2.3.1: both are form-encoded before they are joined. */
function formDecoded(text: string): string | null {
  return new URLSearchParams(`v=${text.replaceAll("&", "%26")}`).get("v");
}
