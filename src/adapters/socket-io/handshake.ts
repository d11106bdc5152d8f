import type { IncomingMessage } from "node:http";
import type { Carried, Carriers } from "../websocket/carriers.ts";

/** A socket that asks to be let in. */
export interface Arriving {
  readonly request: IncomingMessage;
  readonly handshake: {
    auth: { readonly token?: unknown };
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
  hide(handshake, request.url ?? "");
  const { token } = handshake.auth;
  if (token === undefined || token === null || token === "") return carried;
  return typeof token === "string" ? { status: "token", token } : { status: "malformed" };
}

/** socket.io has made copies of the URL already, and applications log them. */
function hide(handshake: Arriving["handshake"], url: string): void {
  const left = new URLSearchParams(url.slice(url.indexOf("?") + 1));
  handshake.url = url;
  for (const name of Object.keys(handshake.query)) if (!left.has(name)) delete handshake.query[name];
}
