import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { Carried, Carriers } from "../websocket/carriers.ts";

/** A socket that asks to be let in. */
export interface Arriving {
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
 * carried, which is one for all namespaces.
 */
export function handshakeToken({ request, handshake }: Arriving, carriers: Carriers): Carried {
  const carried = carriers.read(request);
  const { token } = handshake.auth;
  hide(handshake, request.url ?? "", carriers.cookie ? ["authorization", "cookie"] : ["authorization"]);
  if (token === undefined || token === null || token === "") return carried;
  return typeof token === "string" ? { status: "token", token } : { status: "malformed" };
}

/** socket.io has made copies already, which applications log and servers of a cluster send each other. */
function hide(handshake: Arriving["handshake"], url: string, secret: readonly string[]): void {
  delete handshake.auth.token;
  const headers = Object.entries(handshake.headers);
  const left = headers.filter(([name]) => !secret.includes(name));
  // Those of the request are one object for all namespaces.
  if (left.length < headers.length) handshake.headers = Object.fromEntries(left);
  const parameters = new URLSearchParams(url.slice(url.indexOf("?") + 1));
  handshake.url = url;
  for (const name of Object.keys(handshake.query)) if (!parameters.has(name)) delete handshake.query[name];
}
