import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { ExtractedToken } from "../../core/request-token.ts";
import type { TokenExtractor } from "../websocket/token-extractor.ts";

/** A socket that joins a namespace. */
export interface ConnectingSocket {
  readonly request: IncomingMessage;
  readonly handshake: {
    headers: IncomingHttpHeaders;
    auth: { token?: unknown };
    query: Record<string, unknown>;
    url: string | undefined;
  };
}

/**
 * Returns the token of a socket, and strips it from the handshake. It is `auth: { token }` of the namespace. Without that it
 * is the token of the transport's first request, which all namespaces share.
 */
export function extractHandshakeToken(
  { request, handshake }: ConnectingSocket,
  tokenExtractor: TokenExtractor,
): ExtractedToken {
  const extracted = tokenExtractor.extract(request);
  const { token } = handshake.auth;
  stripHandshake(
    handshake,
    request.url ?? "",
    tokenExtractor.cookie ? ["authorization", "cookie"] : ["authorization"],
  );
  if (token === undefined || token === null || token === "") return extracted;
  return typeof token === "string" ? { status: "token", token } : { status: "malformed" };
}

/** Strips tokens from the copies of socket.io. Applications log them, and servers of a cluster send them to each other. */
function stripHandshake(
  handshake: ConnectingSocket["handshake"],
  url: string,
  secret: readonly string[],
): void {
  delete handshake.auth.token;
  const headers = Object.entries(handshake.headers);
  const left = headers.filter(([name]) => !secret.includes(name));
  // All namespaces share the headers object of the request, so it is replaced and not changed.
  if (left.length < headers.length) handshake.headers = Object.fromEntries(left);
  const parameters = new URLSearchParams(url.slice(url.indexOf("?") + 1));
  handshake.url = url;
  for (const name of Object.keys(handshake.query)) if (!parameters.has(name)) delete handshake.query[name];
}
