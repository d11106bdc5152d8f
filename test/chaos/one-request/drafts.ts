import type { Endpoint } from "./endpoints.ts";
import { jsonShapes, textShapes, type Shape } from "./payloads.ts";

export type Header = readonly [name: string, value: string];

/** What is bad about a request. Everything that it leaves out is as usual for its endpoint. */
export interface Draft {
  readonly what: string;
  readonly method?: string;
  /** The path with its query. */
  readonly target?: string;
  readonly headers?: readonly Header[];
  /** Replaces the cookies of the session, with their names. */
  readonly cookies?: string;
  readonly body?: string | Buffer;
  readonly chunkBytes?: number;
}

/** Makes a draft. Most drafts of a short run are never drawn, and their texts are long. */
export type DrawDraft = () => Draft;

/** The usual request of an endpoint. */
export interface UsualRequest {
  readonly endpoint: Endpoint;
  readonly path: string;
  readonly target: string;
  readonly members: Readonly<Record<string, unknown>>;
  /** The encoded header of a token that the service signed. */
  readonly tokenHeader: string;
}

/** The headers that the service, its frameworks or Node read. */
const headerNames = [
  "Cookie",
  "User-Agent",
  "Accept",
  "Accept-Encoding",
  "X-Forwarded-For",
  "Forwarded",
  "Origin",
  "Sec-Fetch-Site",
  "X-Holdfast",
  "Content-Type",
  "Content-Encoding",
  "Access-Control-Request-Method",
  "Access-Control-Request-Headers",
  "Host",
  "X-Forwarded-Host",
  "X-Forwarded-Uri",
  "X-Original-Uri",
  "X-Forwarded-Method",
  "X-Original-Method",
  "X-HTTP-Method-Override",
  "X-Auth-Subject",
  "Sec-WebSocket-Protocol",
];

/** What the headers of a request may have beside the name and value that a shape fills. */
const HEADER_BYTES = 30_000;
const BODY_BYTES = 65_000;
/** Longer tokens are refused by their length. */
const TOKEN_BYTES = 12_000;

const base64url = (text: string) => Buffer.from(text).toString("base64url");
const identity = (text: string) => text;
const escapeComponent = (text: string) => encodeURIComponent(text.toWellFormed());
const urlSafe = (text: string) => text.replaceAll(/[^\u0021-\u007e]/gu, escapeComponent);
/** Keeps escapes as they are, so that a path parameter is decoded to something else. */
const segmentSafe = (text: string) => urlSafe(text).replaceAll(/[/?#]/g, escapeComponent);
const signature = base64url("s".repeat(64)).slice(0, 86);

/** Fills `shape` so that `encode` of it has at most `bytes` bytes. */
function fit(shape: Shape, bytes: number, random: () => number, encode: (text: string) => string): string {
  const sample = 600;
  const ratio = Math.max(1, Buffer.byteLength(encode(shape(sample, random))) / sample);
  return encode(shape(Math.floor((bytes / ratio) * 0.95), random));
}

type Fill = (bytes: number, encode?: (text: string) => string) => string;

/** Every request of an endpoint that is bad in one place. */
export function* draftsOf(usual: UsualRequest, random: () => number): Generator<DrawDraft> {
  for (const [what, shape] of Object.entries(textShapes)) {
    const fill: Fill = (bytes, encode = identity) => fit(shape, bytes, random, encode);
    yield* targetDrafts(usual, what, fill);
    yield* headerDrafts(usual, what, fill);
    yield* bodyDrafts(usual, what, fill);
  }
  for (const [what, shape] of Object.entries(jsonShapes)) yield* jsonDrafts(usual, what, shape);
  yield* framingDrafts(usual);
}

function* targetDrafts({ endpoint, path }: UsualRequest, what: string, fill: Fill): Generator<DrawDraft> {
  yield () => ({ what: `path of ${what}`, target: path + fill(HEADER_BYTES, (text) => `/${urlSafe(text)}`) });
  yield () => ({
    what: `query of ${what}`,
    target: path + fill(HEADER_BYTES, (text) => `?${urlSafe(text)}`),
  });
  for (const name of Object.keys(endpoint.segments)) {
    const bytes = HEADER_BYTES - path.length;
    const target = (text: string) => endpoint.path.replace(`:${name}`, segmentSafe(text));
    yield () => ({ what: `${name} in the path of ${what}`, target: fill(bytes, target) });
  }
  for (const name of Object.keys(endpoint.query)) {
    const others = new URLSearchParams(endpoint.query);
    others.delete(name);
    for (const [how, encode] of [
      ["", escapeComponent],
      ["raw ", urlSafe],
    ] as const) {
      const target = (text: string) => `${path}?${others.toString()}&${name}=${encode(text)}`;
      yield () => ({ what: `${how}parameter ${name} of ${what}`, target: fill(HEADER_BYTES, target) });
    }
  }
}

function* headerDrafts({ endpoint, path }: UsualRequest, what: string, fill: Fill): Generator<DrawDraft> {
  for (const name of headerNames) {
    yield () => ({ what: `${name} of ${what}`, headers: [[name, fill(HEADER_BYTES)]] });
  }
  if (path.startsWith("/verify")) {
    yield () => {
      const forwarded = fill(HEADER_BYTES, (text) => `/orders/${urlSafe(text)}`);
      const target = path.includes("envoy") ? `/verify/envoy${forwarded}` : path;
      return { what: `forwarded path of ${what}`, target, headers: gatewayHeaders(forwarded) };
    };
  }
  if (endpoint.credentials === "cookies") {
    for (const name of ["__Host-hf_at", "__Secure-hf_rt"]) {
      yield () => ({ what: `cookie ${name} of ${what}`, cookies: `${name}=${fill(HEADER_BYTES)}` });
    }
  }
  for (const scheme of ["", "Bearer ", "Basic ", "bearer  hfr_"]) {
    yield () => ({
      what: `Authorization "${scheme}" of ${what}`,
      headers: [["Authorization", scheme + fill(HEADER_BYTES)]],
    });
  }
  yield () => {
    const pair = fill(HEADER_BYTES, (text) => Buffer.from(`${text}:${text}`).toString("base64"));
    return { what: `Basic credentials of ${what}`, headers: [["Authorization", `Basic ${pair}`]] };
  };
}

/** The headers by which proxies name the request that a user sent to them. */
export function gatewayHeaders(target: string): Header[] {
  return [
    ["X-Original-Method", "GET"],
    ["X-Original-Uri", target],
    ["X-Forwarded-Method", "GET"],
    ["X-Forwarded-Uri", target],
    ["X-Forwarded-Host", "api.example.com"],
  ];
}

function* bodyDrafts({ endpoint, members }: UsualRequest, what: string, fill: Fill): Generator<DrawDraft> {
  if (endpoint.body === "none") return;
  yield () => ({ what: `body of ${what}`, body: fill(BODY_BYTES) });
  for (const name of Object.keys(members)) {
    if (endpoint.body === "json") {
      const object = (text: string) => JSON.stringify({ ...members, [name]: text });
      const inList = (text: string) => JSON.stringify({ ...members, [name]: [text] });
      yield () => ({ what: `${name} of ${what}`, body: fill(BODY_BYTES, object) });
      yield () => ({ what: `${name} with a list of ${what}`, body: fill(BODY_BYTES, inList) });
    } else {
      const { [name]: _, ...others } = members;
      const rest = encodeBody("form", others);
      const escaped = (text: string) => `${rest}&${name}=${escapeComponent(text)}`;
      const raw = (text: string) => `${rest}&${name}=${text}`;
      yield () => ({ what: `${name} of ${what}`, body: fill(BODY_BYTES, escaped) });
      yield () => ({ what: `raw ${name} of ${what}`, body: fill(BODY_BYTES, raw) });
    }
  }
}

export function encodeBody(kind: "json" | "form", members: UsualRequest["members"]): string {
  return kind === "json"
    ? JSON.stringify(members)
    : String(new URLSearchParams(members as Record<string, string>));
}

function* jsonDrafts(
  { endpoint, members, tokenHeader }: UsualRequest,
  what: string,
  shape: (length: number, member: string) => string,
): Generator<DrawDraft> {
  const { body, credentials } = endpoint;
  const encoded = (member: string) => base64url(shape(TOKEN_BYTES * 0.74, member));
  const forged = {
    claims: () => `${tokenHeader}.${encoded("aud")}.${signature}`,
    header: () => `${encoded("kid")}.e30.${signature}`,
  };
  for (const [part, token] of Object.entries(forged)) {
    yield () => ({
      what: `token with ${part} of ${what}`,
      headers: [["Authorization", `Bearer ${token()}`]],
    });
    if (credentials === "cookies") {
      yield () => ({ what: `cookie with ${part} of ${what}`, cookies: `__Host-hf_at=${token()}` });
    }
    if (body === "none") continue;
    for (const name of Object.keys(members).filter((one) => one.includes("token"))) {
      yield () => ({
        what: `${name} with ${part} of ${what}`,
        body: encodeBody(body, { ...members, [name]: token() }),
      });
    }
  }
  if (body === "none") return;
  for (const name of Object.keys(members)) {
    yield () => ({ what: `${name} of JSON ${what}`, body: shape(BODY_BYTES, name) });
  }
}

function* framingDrafts({ endpoint }: UsualRequest): Generator<DrawDraft> {
  const many = (count: number, header: (i: number) => Header) =>
    Array.from({ length: count }, (_, i) => header(i));
  yield () => ({ what: "many small headers", headers: many(1900, (i) => [`x${i}`, "a"]) });
  yield () => ({ what: "more headers than are kept", headers: many(5000, () => ["x", ""]) });
  for (const name of ["Cookie", "X-Forwarded-For", "Authorization", "Accept", "Connection", "Set-Cookie"]) {
    yield () => ({ what: `repeated ${name}`, headers: many(1500, () => [name, "a=b"]) });
  }
  const body = endpoint.body === "form" ? "a=b&".repeat(16_000) : `{"a":"${"a".repeat(60_000)}"}`;
  for (const chunkBytes of [1, 16, 1000])
    yield () => ({ what: `body in chunks of ${chunkBytes}`, body, chunkBytes });
  yield () => ({ what: "a large body", body: Buffer.alloc(4 * 1024 * 1024, "a") });
  yield () => ({ what: "a large body in small chunks", body: Buffer.alloc(300_000, "a"), chunkBytes: 1 });
  for (const method of ["OPTIONS", "PUT", "PROPFIND", "HEAD"]) {
    yield () => ({ what: method, method, body, headers: [["Origin", "https://app.example.com"]] });
  }
}
