import type { IncomingMessage } from "node:http";

/** A request that asks for a connection. Without `rawHeaders` when a test made it. */
export type HandshakeRequest = Pick<IncomingMessage, "headers" | "url"> & { rawHeaders?: string[] };

/** What was taken out of a request because others read and repeat it. */
export interface StrippedTokens {
  /** What followed the prefix, for each subprotocol that carries a token. */
  readonly subprotocols: string[];
  /** Values of the parameters asked for. */
  readonly query: { readonly name: string; readonly value: string }[];
  /** Subprotocols that are left to choose from. */
  offered: number;
}

/** The name that Kubernetes has for it. Browsers let a page fill no other header. */
const PREFIX = "base64url.bearer.authorization.k8s.io.";
const PROTOCOL = "sec-websocket-protocol";

const strippedKey: unique symbol = Symbol("holdfast.stripped");

/**
 * Takes tokens out of the subprotocols, which a server answers, and out of the URL, which everybody logs. Does so once:
 * whoever asks later, or for another parameter, gets what was found before, too.
 */
export function stripTokens(
  request: HandshakeRequest & { [strippedKey]?: StrippedTokens },
  names: readonly string[],
): StrippedTokens {
  const found = request[strippedKey] ?? { subprotocols: [], query: [], offered: 0 };
  // Not enumerable, because requests get logged.
  Object.defineProperty(request, strippedKey, { value: found, configurable: true });
  stripSubprotocols(request, found);
  stripQuery(request, names, found.query);
  return found;
}

/** Every line of a header, as it came: `headers` keeps the first of some and joins others. */
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
    // Thousands of short ones would take milliseconds.
    if (pair.length < shortest) return true;
    // A name may be percent-encoded, which makes it longer.
    const [[name, value] = ["", ""]] = new URLSearchParams(pair);
    if (!names.includes(name)) return true;
    found.push({ name, value });
    return false;
  });
  if (left.length === pairs.length) return;
  request.url = url.slice(0, at) + (left.length > 0 ? `?${left.join("&")}` : "");
}
