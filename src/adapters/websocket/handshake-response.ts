import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { oauthErrorContent, type OAuthErrorBody } from "../../core/oauth-error.ts";
import type { Decision } from "../../core/verdict.ts";
import type { Limited } from "../../connections/index.ts";
import { bearerResponse, type RefusalResponse } from "../http/bearer.ts";
import type { ExtractedToken } from "./token-extractor.ts";

/** The HTTP answer to a handshake that becomes no connection; `body` is JSON. */
export interface HandshakeResponse {
  readonly status: 400 | 401 | 403 | 429 | 503;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: OAuthErrorBody;
}

/** Why. */
export type HandshakeRefusal =
  | Limited
  | Exclude<ExtractedToken, { status: "token" }>
  | Exclude<Decision<unknown>, { status: "valid" }>;

/** What `bearerAnswer` says, and what only a connection can be refused for. `scopes` are those the endpoint needs. */
export function createRefusalResponse(
  refused: HandshakeRefusal,
  scopes: readonly string[] | undefined,
): HandshakeResponse {
  if (refused.status === "foreign") {
    return createResponse(403, "origin_not_allowed", "Cookies of this page are not accepted.", {});
  }
  if (refused.status === "limited") {
    const seconds = String(Math.max(1, Math.ceil(refused.retryAfterMs / 1000)));
    return createResponse(429, "too_many", "There are too many connections.", { "Retry-After": seconds });
  }
  // What is not valid is refused: 200 does not occur.
  const { status, headers, body } = bearerResponse(refused, scopes) as RefusalResponse;
  return createResponse(status, body.error, body.error_description, headers);
}

function createResponse(
  status: HandshakeResponse["status"],
  error: string,
  description: string,
  headers: Readonly<Record<string, string>>,
): HandshakeResponse {
  return { status, ...oauthErrorContent(error, description, { Connection: "close", ...headers }) };
}

/** Writes the answer where there is only a socket, and closes that. Its errors must be listened to. */
export function writeResponse(socket: Duplex, { status, headers, body }: HandshakeResponse): void {
  const text = JSON.stringify(body);
  const lines = Object.entries({ ...headers, "Content-Length": Buffer.byteLength(text) });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head}\r\n${text}`, () => socket.destroy());
}
