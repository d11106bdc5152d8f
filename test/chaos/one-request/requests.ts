import { jsonShapes, textShapes, type Shape } from "./payloads.ts";

/** The bytes of one request, and a name that says what is bad about it. */
export interface WorstRequest {
  readonly name: string;
  readonly listener: "public" | "admin";
  readonly bytes: Buffer;
}

/** Credentials that are right, so that a request gets as far as it can. */
export interface Credentials {
  readonly bearer: string;
  readonly basic: string;
  readonly refreshToken: string;
  /** The encoded header of a token that the service signed. */
  readonly tokenHeader: string;
}

type Header = readonly [name: string, value: string];

interface Endpoint {
  readonly listener: WorstRequest["listener"];
  readonly method: string;
  readonly path: string;
  readonly body: "json" | "form" | "none";
  /** The members or parameters that the endpoint reads. */
  readonly members: readonly string[];
  readonly credentials: "bearer" | "basic" | "none";
}

function endpoint(
  method: string,
  path: string,
  body: Endpoint["body"] = "none",
  members: readonly string[] = [],
  credentials: Endpoint["credentials"] = "none",
): Endpoint {
  return { listener: "public", method, path, body, members, credentials };
}

const clientMembers = ["client_id", "client_secret"];

export const endpoints: readonly Endpoint[] = [
  endpoint("POST", "/auth/login", "json", ["username", "password"]),
  endpoint("POST", "/auth/refresh", "json", ["refresh_token"]),
  endpoint("POST", "/auth/logout", "json", ["refresh_token"]),
  endpoint("POST", "/auth/logout-all", "json", ["refresh_token"]),
  endpoint("POST", "/auth/password", "json", ["current_password", "new_password"], "bearer"),
  endpoint("GET", "/auth/sessions", "none", [], "bearer"),
  endpoint("DELETE", "/auth/sessions/0", "none", [], "bearer"),
  endpoint("POST", "/auth/validate", "json", ["token"], "basic"),
  endpoint("GET", "/auth/revocations?after=0&epoch=a", "none", [], "basic"),
  endpoint("POST", "/oauth/token", "form", ["grant_type", "refresh_token", "scope", ...clientMembers]),
  endpoint("POST", "/oauth/token?basic", "form", ["grant_type", "scope"], "basic"),
  endpoint("POST", "/oauth/introspect", "form", ["token", ...clientMembers], "basic"),
  endpoint("POST", "/oauth/revoke", "form", ["token", "token_type_hint", ...clientMembers]),
  endpoint("GET", "/.well-known/jwks.json"),
  endpoint("GET", "/.well-known/oauth-authorization-server"),
  endpoint("GET", "/health/live"),
  endpoint("GET", "/health/ready"),
  endpoint("GET", "/verify/nginx", "none", [], "bearer"),
  endpoint("GET", "/verify/caddy", "none", [], "bearer"),
  endpoint("GET", "/verify/haproxy", "none", [], "bearer"),
  endpoint("GET", "/verify/traefik", "none", [], "bearer"),
  endpoint("POST", "/verify/envoy/orders", "none", [], "bearer"),
  endpoint("GET", "/elsewhere"),
  ...["/health", "/cache/health", "/", "/guard/proof?challenge=a", "/elsewhere"].map((path) => ({
    ...endpoint("GET", path),
    listener: "admin" as const,
  })),
  ...["/guard/distrust-keys", "/guard/breaker"].map((path) => ({
    ...endpoint("POST", path, "json", ["issuer", "state"], "bearer"),
    listener: "admin" as const,
  })),
];

/** The headers that the service, its frameworks or Node read. */
const headerNames = [
  "Cookie",
  "User-Agent",
  "Accept",
  "Accept-Encoding",
  "X-Forwarded-For",
  "Origin",
  "Content-Type",
  "Access-Control-Request-Headers",
  "Host",
  "X-Forwarded-Host",
  "X-Forwarded-Uri",
  "X-Original-Uri",
  "X-Forwarded-Method",
  "X-Original-Method",
  "X-HTTP-Method-Override",
  "Sec-WebSocket-Protocol",
];

/** What the headers of a request may have beside the name and value that a shape fills. */
const HEADER_BYTES = 30_000;
const BODY_BYTES = 65_000;
/** Longer tokens are refused by their length. */
const TOKEN_BYTES = 12_000;

interface Draft {
  readonly what: string;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: readonly Header[];
  readonly body?: string | Buffer;
  readonly chunkBytes?: number;
}

let addresses = 0;

/** Serializes a request. The headers of the draft replace those of the same name. */
function serialize(at: Endpoint, draft: Draft, credentials: Credentials, port: number): WorstRequest {
  const { what, method = at.method, path = at.path, headers = [], body, chunkBytes } = draft;
  const address = addresses++;
  const given = new Set(headers.map(([name]) => name.toLowerCase()));
  const target = path.startsWith("/verify") ? "/orders/1" : undefined;
  const usual: Header[] = [
    ["Host", at.listener === "admin" ? `localhost:${port}` : "id.example.com"],
    ["Connection", "close"],
    ...(at.credentials === "none" ? [] : [["Authorization", credentials[at.credentials]] as const]),
    // Login limits count by address, and would refuse most requests before any work.
    ["X-Forwarded-For", `10.${(address >> 16) & 255}.${(address >> 8) & 255}.${address & 255}`],
    ...(target === undefined ? [] : gatewayHeaders(target)),
    ...(at.body === "none"
      ? []
      : [
          [
            "Content-Type",
            at.body === "json" ? "application/json" : "application/x-www-form-urlencoded",
          ] as const,
        ]),
  ];
  const lines = [...usual.filter(([name]) => !given.has(name.toLowerCase())), ...headers];
  const content = at.body === "none" && body === undefined ? null : Buffer.from(body ?? usualBody(at));
  if (content !== null) {
    lines.push(
      chunkBytes === undefined
        ? ["Content-Length", String(content.length)]
        : ["Transfer-Encoding", "chunked"],
    );
  }
  const head = `${method} ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
  const sent = content === null ? [] : chunkBytes === undefined ? [content] : chunked(content, chunkBytes);
  return {
    name: `${at.method} ${at.listener === "admin" ? "admin " : ""}${at.path}: ${what}`,
    listener: at.listener,
    bytes: Buffer.concat([Buffer.from(head), ...sent]),
  };
}

/** A body that passes the first checks, so that the work behind them is reached. */
function usualBody(at: Endpoint): string {
  return at.body === "json" ? JSON.stringify(anyMembers(at)) : String(new URLSearchParams(anyMembers(at)));
}

function gatewayHeaders(target: string): Header[] {
  return [
    ["X-Original-Method", "GET"],
    ["X-Original-Uri", target],
    ["X-Forwarded-Method", "GET"],
    ["X-Forwarded-Uri", target],
    ["X-Forwarded-Host", "api.example.com"],
  ];
}

function chunked(content: Buffer, size: number): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0; at < content.length; at += size) {
    const part = content.subarray(at, at + size);
    parts.push(Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from("\r\n"));
  }
  return [...parts, Buffer.from("0\r\n\r\n")];
}

/** Fills `shape` so that `encode` of it has at most `bytes` bytes. */
function fit(shape: Shape, bytes: number, random: () => number, encode: (text: string) => string): string {
  const sample = 600;
  const ratio = Math.max(1, Buffer.byteLength(encode(shape(sample, random))) / sample);
  return encode(shape(Math.floor((bytes / ratio) * 0.95), random));
}

const base64url = (text: string) => Buffer.from(text).toString("base64url");
const identity = (text: string) => text;
const urlSafe = (text: string) =>
  text.replaceAll(/[^\u0021-\u007e]/gu, (one) => encodeURIComponent(one.toWellFormed()));
const signature = base64url("s".repeat(64)).slice(0, 86);

function* textDrafts(at: Endpoint, what: string, shape: Shape, random: () => number): Generator<Draft> {
  const filled = (bytes: number, encode = identity) => fit(shape, bytes, random, encode);
  const path = at.path.split("?", 1)[0] ?? "";
  yield { what: `path of ${what}`, path: path + filled(HEADER_BYTES, (text) => `/${urlSafe(text)}`) };
  yield { what: `query of ${what}`, path: path + filled(HEADER_BYTES, (text) => `?${urlSafe(text)}`) };
  for (const name of headerNames) {
    yield { what: `${name} of ${what}`, headers: [[name, filled(HEADER_BYTES)]] };
  }
  if (at.path.startsWith("/verify")) {
    const target = filled(HEADER_BYTES, (text) => `/orders/${urlSafe(text)}`);
    yield {
      what: `forwarded path of ${what}`,
      path: at.path.includes("envoy") ? `/verify/envoy${target}` : at.path,
      headers: gatewayHeaders(target),
    };
  }
  for (const scheme of ["", "Bearer ", "Basic ", "bearer  hfr_"]) {
    yield {
      what: `Authorization "${scheme}" of ${what}`,
      headers: [["Authorization", scheme + filled(HEADER_BYTES)]],
    };
  }
  const basic = filled(HEADER_BYTES, (text) => Buffer.from(`${text}:${text}`).toString("base64"));
  yield { what: `Basic credentials of ${what}`, headers: [["Authorization", `Basic ${basic}`]] };
  if (at.body === "none") return;
  yield { what: `body of ${what}`, body: filled(BODY_BYTES) };
  if (at.body === "json") {
    for (const member of at.members) {
      const object = (text: string) => JSON.stringify({ ...anyMembers(at), [member]: text });
      yield { what: `${member} of ${what}`, body: filled(BODY_BYTES, object) };
    }
    return;
  }
  for (const member of at.members) {
    const others = new URLSearchParams(anyMembers(at));
    others.delete(member);
    const rest = others.toString();
    const form = (text: string) => `${rest}&${member}=${encodeURIComponent(text.toWellFormed())}`;
    yield { what: `${member} of ${what}`, body: filled(BODY_BYTES, form) };
    yield {
      what: `raw ${member} of ${what}`,
      body: filled(BODY_BYTES, (text) => `${rest}&${member}=${text}`),
    };
  }
}

function anyMembers({ members }: Endpoint): Record<string, string> {
  const values: Record<string, string> = { grant_type: "refresh_token" };
  return Object.fromEntries(members.map((name) => [name, values[name] ?? "a"]));
}

function* jsonDrafts(
  at: Endpoint,
  what: string,
  shape: (length: number, member: string) => string,
  { tokenHeader }: Credentials,
): Generator<Draft> {
  const claims = shape(TOKEN_BYTES * 0.74, "aud");
  const forged = [
    `${tokenHeader}.${base64url(claims)}.${signature}`,
    `${base64url(shape(TOKEN_BYTES * 0.74, "kid"))}.e30.${signature}`,
  ];
  for (const [i, token] of forged.entries()) {
    const part = i === 0 ? "claims" : "header";
    yield { what: `token with ${part} of ${what}`, headers: [["Authorization", `Bearer ${token}`]] };
    for (const member of at.members.filter((name) => name.includes("token"))) {
      const members = { ...anyMembers(at), [member]: token };
      const body = at.body === "json" ? JSON.stringify(members) : String(new URLSearchParams(members));
      yield { what: `${member} with ${part} of ${what}`, body };
    }
  }
  if (at.body === "none") return;
  for (const member of at.members)
    yield { what: `${member} of JSON ${what}`, body: shape(BODY_BYTES, member) };
}

function* framingDrafts(at: Endpoint): Generator<Draft> {
  const many = (count: number, header: (i: number) => Header) =>
    Array.from({ length: count }, (_, i) => header(i));
  yield { what: "many small headers", headers: many(1900, (i) => [`x${i}`, "a"]) };
  yield { what: "more headers than are kept", headers: many(5000, () => ["x", ""]) };
  for (const name of ["Cookie", "X-Forwarded-For", "Authorization", "Accept", "Connection", "Set-Cookie"]) {
    yield { what: `repeated ${name}`, headers: many(1500, () => [name, "a=b"]) };
  }
  const body = at.body === "form" ? "a=b&".repeat(16_000) : `{"a":"${"a".repeat(60_000)}"}`;
  for (const chunkBytes of [1, 16, 1000]) yield { what: `body in chunks of ${chunkBytes}`, body, chunkBytes };
  yield { what: "a large body", body: Buffer.alloc(4 * 1024 * 1024, "a") };
  yield { what: "a large body in small chunks", body: Buffer.alloc(300_000, "a"), chunkBytes: 1 };
  for (const method of ["OPTIONS", "PUT", "PROPFIND", "HEAD"]) {
    yield { what: method, method, body, headers: [["Origin", "https://app.example.com"]] };
  }
}

/** Every endpoint with every shape in every place that a request has. */
export function* worstRequests(
  credentials: () => Credentials,
  random: () => number,
  adminPort: number,
): Generator<() => WorstRequest> {
  for (const at of endpoints) {
    const finish = (draft: Draft) => () => serialize(at, draft, credentials(), adminPort);
    for (const [what, shape] of Object.entries(textShapes)) {
      for (const draft of textDrafts(at, what, shape, random)) yield finish(draft);
    }
    for (const [what, shape] of Object.entries(jsonShapes)) {
      for (const draft of jsonDrafts(at, what, shape, credentials())) yield finish(draft);
    }
    for (const draft of framingDrafts(at)) yield finish(draft);
  }
}
