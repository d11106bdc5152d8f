import { type BlockList, isIP } from "node:net";

/** Returns an IPv4 address as such, also when a dual-stack socket shows it as `::ffff:192.0.2.1`. */
function unmapIpv4(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, "");
}

/** Returns whether the peer at this address is one of the trusted proxies. */
export function isTrustedProxy(proxies: BlockList, address: string): boolean {
  const peer = unmapIpv4(address);
  return proxies.check(peer, isIP(peer) === 6 ? "ipv6" : "ipv4");
}

/**
 * Returns the address of the client. It is the peer, or, when the peer is a trusted proxy, the last address in
 * `X-Forwarded-For` that is not a trusted proxy. The client can forge all addresses before that one.
 */
export function clientAddress(
  peer: string | undefined,
  forwardedFor: string | undefined,
  proxies: BlockList,
): string | undefined {
  if (peer === undefined) return undefined;
  let source = unmapIpv4(peer);
  const hops = (forwardedFor ?? "").split(",").map((hop) => unmapIpv4(hop.trim()));
  while (isTrustedProxy(proxies, source)) {
    const hop = hops.pop();
    if (hop === undefined || isIP(hop) === 0) break;
    source = hop;
  }
  return source;
}
