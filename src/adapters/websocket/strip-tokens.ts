import type { IncomingMessage } from "node:http";

/** The request of a handshake. `rawHeaders` is missing when a test injects the request. */
export type HandshakeRequest = Pick<IncomingMessage, "headers" | "url"> & { rawHeaders?: string[] };

/** The tokens that were removed from a request, because other code reads and repeats these parts. */
export interface StrippedTokens {
  /** The part after the prefix of each subprotocol that carries a token. */
  readonly subprotocols: string[];
  /** The parameters that may hold a token, with their values. */
  readonly query: { readonly name: string; readonly value: string }[];
  /** The number of subprotocols that remain. The server selects one of them. */
  offered: number;
}

/** The prefix that Kubernetes uses. A page can set no other header of a handshake. */
const PREFIX = "base64url.bearer.authorization.k8s.io.";
const PROTOCOL = "sec-websocket-protocol";

const strippedKey: unique symbol = Symbol("holdfast.stripped");

/**
 * Removes tokens from the subprotocols, which a server repeats, and from the URL, which is logged. The request keeps the
 * removed tokens, so that a later call returns them too, even for other parameters.
 */
export function stripTokens(
  request: HandshakeRequest & { [strippedKey]?: StrippedTokens },
  names: readonly string[],
): StrippedTokens {
  const found = request[strippedKey] ?? { subprotocols: [], query: [], offered: 0 };
  // The property is not enumerable, because requests are logged.
  Object.defineProperty(request, strippedKey, { value: found, configurable: true });
  stripSubprotocols(request, found);
  stripQuery(request, names, found.query);
  return found;
}

/** Returns every line of a header. `headers` keeps only the first line of some headers, and joins the lines of others. */
export function headerLines({ rawHeaders, headers }: HandshakeRequest, name: string): string[] {
  if (rawHeaders === undefined) return [headers[name] ?? []].flat();
  return rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === name);
}

function stripSubprotocols(request: HandshakeRequest, found: StrippedTokens): void {
  const offered = headerLines(request, PROTOCOL)
    .flatMap((line) => line.split(","))
    .map((entry) => entry.trim());
  const left = offered.filter((entry) => !entry.startsWith(PREFIX));
  found.offered = left.length;
  if (left.length === offered.length) return;
  for (const entry of offered) {
    if (entry.startsWith(PREFIX)) found.subprotocols.push(entry.slice(PREFIX.length));
  }
  const { headers, rawHeaders } = request;
  const rest = left.join(", ");
  if (left.length > 0) headers[PROTOCOL] = rest;
  else delete headers[PROTOCOL];
  if (rawHeaders === undefined) return;
  for (let i = rawHeaders.length - 2; i >= 0; i -= 2) {
    if (rawHeaders[i]?.toLowerCase() === PROTOCOL) rawHeaders.splice(i, 2);
  }
  if (left.length > 0) rawHeaders.push("Sec-WebSocket-Protocol", rest);
}

function stripQuery(
  request: HandshakeRequest,
  names: readonly string[],
  found: StrippedTokens["query"],
): void {
  const { url = "" } = request;
  const at = url.indexOf("?");
  if (at < 0) return;
  const pairs = url.slice(at + 1).split("&");
  const shortest = Math.min(...names.map(({ length }) => length));
  const left = pairs.filter((pair) => {
    // A pair that is too short is not parsed, because thousands of them would take milliseconds.
    if (pair.length < shortest) return true;
    // The name may be percent-encoded, which makes it longer.
    const [[name, value] = ["", ""]] = new URLSearchParams(pair);
    if (!names.includes(name)) return true;
    found.push({ name, value });
    return false;
  });
  if (left.length === pairs.length) return;
  request.url = url.slice(0, at) + (left.length > 0 ? `?${left.join("&")}` : "");
}
