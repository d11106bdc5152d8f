import {
  draftsOf,
  encodeBody,
  gatewayHeaders,
  type Draft,
  type Header,
  type UsualRequest,
} from "./drafts.ts";
import { endpoints, placeholders, type Endpoint, type SessionName } from "./endpoints.ts";

/** The bytes of one request, and a name that says what is bad about it. */
export interface WorstRequest {
  readonly name: string;
  readonly listener: Endpoint["listener"];
  readonly session: SessionName;
  /** Whether the answer goes on until the client leaves. */
  readonly isStream: boolean;
  readonly bytes: Buffer;
}

export interface SessionTokens {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly session_id: string;
}

/** Credentials that are right, so that a request gets as far as it can. */
export interface Credentials {
  readonly basic: string;
  /** The issuer of the provider, and one of its tokens. */
  readonly provider: { readonly issuer: string; readonly token: string };
  readonly sessions: Readonly<Record<SessionName, SessionTokens>>;
}

/** The origin of the page whose sessions are in cookies. */
export const PAGE_ORIGIN = "https://app.example.com";

/** Every endpoint with every shape in every place that a request has. */
export function* worstRequests(
  credentials: () => Credentials,
  random: () => number,
  adminPort: number,
): Generator<DrawRequest> {
  for (const endpoint of endpoints) {
    for (const drawDraft of draftsOf(usualRequest(endpoint, credentials()), random)) {
      yield () => {
        const draft = drawDraft();
        return () => serialize(usualRequest(endpoint, credentials()), draft, credentials(), adminPort);
      };
    }
  }
}

/** Draws a request. The result makes its bytes with the credentials of that moment, because sessions end. */
export type DrawRequest = () => () => WorstRequest;

function usualRequest(endpoint: Endpoint, { sessions, provider }: Credentials): UsualRequest {
  const { access_token, refresh_token, session_id } = sessions[endpoint.session];
  const values: Readonly<Record<string, string>> = {
    [placeholders.accessToken]: access_token,
    [placeholders.refreshToken]: refresh_token,
    [placeholders.session]: session_id,
    [placeholders.provider]: provider.issuer,
  };
  const fill = (value: unknown) => (typeof value === "string" ? (values[value] ?? value) : value);
  const members = Object.entries(endpoint.members).map(([name, value]) => [name, fill(value)] as const);
  const path = endpoint.path.replaceAll(/:(\w+)/g, (_, name: string) =>
    String(fill(endpoint.segments[name])),
  );
  const search = String(new URLSearchParams(endpoint.query));
  return {
    endpoint,
    path,
    target: search === "" ? path : `${path}?${search}`,
    members: Object.fromEntries(members),
    tokenHeader: access_token.split(".", 1)[0] ?? "",
  };
}

/** The request of each endpoint without anything bad. */
export function usualRequests(
  credentials: () => Credentials,
  adminPort: number,
): { readonly endpoint: Endpoint; readonly make: () => WorstRequest }[] {
  return endpoints.map((endpoint) => ({
    endpoint,
    make: () => serialize(usualRequest(endpoint, credentials()), { what: "" }, credentials(), adminPort),
  }));
}

let addresses = 0;

/** Serializes a request. The headers of the draft replace those of the same name. */
function serialize(usual: UsualRequest, draft: Draft, credentials: Credentials, port: number): WorstRequest {
  const { listener, method, path, body: kind } = usual.endpoint;
  const { what, headers = [], chunkBytes } = draft;
  const body = draft.body ?? (kind === "none" ? null : encodeBody(kind, usual.members));
  const given = new Set(headers.map(([name]) => name.toLowerCase()));
  const address = addresses++;
  const standard: Header[] = [
    ["Host", listener === "admin" ? `localhost:${port}` : "id.example.com"],
    ["Connection", "close"],
    ...credentialHeaders(usual.endpoint, credentials, draft.cookies),
    // Login limits count by address, and would refuse most requests before any work.
    ["X-Forwarded-For", `10.${(address >> 16) & 255}.${(address >> 8) & 255}.${address & 255}`],
    ...(path.startsWith("/verify") ? gatewayHeaders("/orders/1") : []),
    ...(kind === "none" ? [] : [["Content-Type", contentTypes[kind]] as const]),
  ];
  const lines = [...standard.filter(([name]) => !given.has(name.toLowerCase())), ...headers];
  const content = body === null ? null : Buffer.from(body);
  if (content !== null) {
    const isChunked = chunkBytes !== undefined;
    lines.push(isChunked ? ["Transfer-Encoding", "chunked"] : ["Content-Length", String(content.length)]);
  }
  const start = `${draft.method ?? method} ${draft.target ?? usual.target} HTTP/1.1\r\n`;
  const head = `${start}${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
  const sent = content === null ? [] : chunkBytes === undefined ? [content] : chunked(content, chunkBytes);
  const place = `${method} ${listener === "admin" ? "admin " : ""}${path}`;
  const mode = usual.endpoint.credentials === "cookies" ? " with cookies" : "";
  const bytes = Buffer.concat([Buffer.from(head), ...sent]);
  const { session, isStream } = usual.endpoint;
  return { name: `${place}${mode}: ${what}`, listener, session, isStream, bytes };
}

const contentTypes = { json: "application/json", form: "application/x-www-form-urlencoded" } as const;

function credentialHeaders(
  { credentials, session }: Endpoint,
  { basic, sessions, provider }: Credentials,
  cookies: string | undefined,
): Header[] {
  const { access_token, refresh_token } = sessions[session];
  if (credentials === "none") return [];
  if (credentials === "basic") return [["Authorization", basic]];
  if (credentials === "provider") return [["Authorization", `Bearer ${provider.token}`]];
  if (credentials === "bearer") return [["Authorization", `Bearer ${access_token}`]];
  return [
    ["X-Holdfast", "1"],
    ["Origin", PAGE_ORIGIN],
    ["Cookie", cookies ?? `__Host-hf_at=${access_token}; __Secure-hf_rt=${refresh_token}`],
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
