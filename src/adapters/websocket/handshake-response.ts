import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import type { Decision } from "../../core/verdict.ts";
import type { Limited } from "../../connections/index.ts";
import { bearerResponse, retryAfterSeconds, type RefusalResponse } from "../http/bearer-response.ts";
import type { ExtractedToken } from "../../core/request-token.ts";

/** The HTTP response to a refused handshake. The body is JSON. */
export interface HandshakeResponse {
  readonly status: 400 | 401 | 403 | 429 | 503;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: { readonly error: string; readonly error_description: string };
}

/** The reason why a handshake is refused. */
export type HandshakeRefusal =
  | Limited
  | Exclude<ExtractedToken, { status: "token" }>
  | Exclude<Decision<unknown>, { status: "valid" }>;

/** Maps a refusal to HTTP. `scopes` are those that the endpoint requires. */
export function createRefusalResponse(
  refusal: HandshakeRefusal,
  scopes: readonly string[] | undefined,
): HandshakeResponse {
  if (refusal.status === "limited") {
    const headers = { "Retry-After": retryAfterSeconds(refusal.retryAfterMs) };
    return createResponse(429, "too_many", "There are too many connections.", headers);
  }
  // A refusal is never valid, so the response is never 200.
  const { status, headers, body } = bearerResponse(refusal, scopes) as RefusalResponse;
  return createResponse(status, body.error, body.error_description, headers);
}

function createResponse(
  status: HandshakeResponse["status"],
  error: string,
  error_description: string,
  more: Readonly<Record<string, string>>,
): HandshakeResponse {
  const usual = { "Content-Type": "application/json", "Cache-Control": "no-store", Connection: "close" };
  return { status, headers: { ...usual, ...more }, body: { error, error_description } };
}

/** Writes the response to a bare socket, and closes the socket. The caller must listen to the socket's errors. */
export function writeResponse(socket: Duplex, { status, headers, body }: HandshakeResponse): void {
  const text = JSON.stringify(body);
  const lines = Object.entries({ ...headers, "Content-Length": Buffer.byteLength(text) });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head}\r\n${text}`, () => socket.destroy());
}
