import { type BlockList, isIP } from "node:net";
import type { PlainHeaders } from "../../core/plain-http.ts";
import { issuerEvents } from "../../core/event-channels.ts";
import { canonicalAddress, isPrivateAddress, parseNodeAddress } from "../../core/address.ts";

/** Proxies append one node each. More nodes than this were written by the client. */
const MAX_NODES = 64;

/** The header fields in which proxies name the client. Several lines of one field are joined with commas. */
export interface ForwardedFields {
  /** `X-Forwarded-For`. */
  readonly forwardedFor: string | undefined;
  /** `Forwarded` (RFC 7239). It counts only without `X-Forwarded-For`. */
  readonly forwarded: string | undefined;
}

export function forwardedFields(headers: Pick<PlainHeaders, "get">): ForwardedFields {
  return {
    forwardedFor: headers.get("x-forwarded-for") ?? undefined,
    forwarded: headers.get("forwarded") ?? undefined,
  };
}

/** Returns whether the peer at this address is one of the trusted proxies. */
export function isTrustedProxy(proxies: BlockList, peer: string): boolean {
  const address = canonicalAddress(peer);
  return address !== null && proxies.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
}

/**
 * Returns the address of the client. It is the peer, or, when the peer is a trusted proxy, the last node that is not a
 * trusted proxy. The client can forge all nodes before that one. `undefined` when a trusted proxy does not tell the
 * address, for example as `unknown`. The address of the proxy would make one source of all clients.
 */
export function clientAddress(
  peer: string | undefined,
  fields: ForwardedFields,
  proxies: BlockList,
): string | undefined {
  if (peer === undefined) return undefined;
  let source = canonicalAddress(peer);
  let nodes: string[] | undefined;
  while (source !== null && isTrustedProxy(proxies, source)) {
    nodes ??= forwardedNodes(fields);
    const node = nodes.pop();
    if (node === undefined) break;
    source = parseNodeAddress(node);
  }
  return source ?? undefined;
}

/**
 * Returns a function that tells the address of a client. It publishes `proxy_not_trusted` once when a proxy seems to be
 * missing in the list. `setting` is what the message names.
 */
export function createAddressReader(
  issuer: string,
  proxies: BlockList,
  setting: string,
): (peer: string | undefined, fields: ForwardedFields) => string | undefined {
  let isWarned = false;
  return (peer, fields) => {
    if (!isWarned && looksLikeMissingProxy(peer, fields, proxies)) {
      isWarned = true;
      const message = `${peer} forwards requests of others and is not in ${setting}: all its clients count as one source`;
      issuerEvents.publish({ issuer, event: "proxy_not_trusted", message });
    }
    return clientAddress(peer, fields, proxies);
  };
}

/**
 * Whether a proxy seems to be missing in the list of trusted proxies. The sign is a peer in a private network that names
 * another client. All clients behind such a proxy would be one source.
 */
function looksLikeMissingProxy(
  peer: string | undefined,
  { forwardedFor, forwarded }: ForwardedFields,
  proxies: BlockList,
): boolean {
  if (peer === undefined || (forwardedFor ?? forwarded) === undefined) return false;
  return isPrivateAddress(peer) && !isTrustedProxy(proxies, peer);
}

/** Returns the nodes in the order of the proxies, the last proxy's node at the end. */
function forwardedNodes({ forwardedFor, forwarded }: ForwardedFields): string[] {
  if (forwardedFor !== undefined) return forwardedFor.split(",").slice(-MAX_NODES);
  if (forwarded === undefined) return [];
  const elements = splitOutsideQuotes(forwarded, ",").slice(-MAX_NODES);
  // An element without `for` hides its client, so its node is unknown.
  return elements.map((element) => {
    const pairs = splitOutsideQuotes(element, ";");
    const value = pairs.map((pair) => /^\s*for\s*=(.*)$/is.exec(pair)?.[1]).find(Boolean);
    return value?.replaceAll(/\\(.)/g, "$1") ?? "unknown";
  });
}

/** Splits a field value at a separator that is not inside a quoted string (RFC 9110 §5.6.4). */
function splitOutsideQuotes(text: string, separator: string): string[] {
  const parts: string[] = [];
  let start = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (quoted && char === "\\") i++;
    else if (char === '"') quoted = !quoted;
    else if (char === separator && !quoted) {
      parts.push(text.slice(start, i));
      start = i + 1;
    }
  }
  parts.push(text.slice(start));
  return parts;
}
