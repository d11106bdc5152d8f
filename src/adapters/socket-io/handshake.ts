import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { ExtractedToken, TokenExtractor } from "../websocket/token-extractor.ts";

/** A socket that asks to be let in. */
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
 * The token that a socket brought for this namespace, `auth: { token }`; without it what the transport's first request
 * extracted, which is one for all namespaces.
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

/** socket.io has made copies already, which applications log and servers of a cluster send each other. */
function stripHandshake(
  handshake: ConnectingSocket["handshake"],
  url: string,
  secret: readonly string[],
): void {
  delete handshake.auth.token;
  const headers = Object.entries(handshake.headers);
  const left = headers.filter(([name]) => !secret.includes(name));
  // Those of the request are one object for all namespaces.
  if (left.length < headers.length) handshake.headers = Object.fromEntries(left);
  const parameters = new URLSearchParams(url.slice(url.indexOf("?") + 1));
  handshake.url = url;
  for (const name of Object.keys(handshake.query)) if (!parameters.has(name)) delete handshake.query[name];
}
