/** A host with other characters could end the host of the URL, or make no URL. Clients send other scripts as Punycode. */
const HOST = /^[\w.\-:[\]]+$/;
/** A name of DNS has at most 253 characters, and a port has five. */
const MAX_HOST_CHARS = 260;

/**
 * Whether a text of a client can be a host with its port. Callers ask this before they parse a URL, because the time to
 * parse a host in another script grows with the square of its length (law 6).
 */
export function isPlainHost(host: string): boolean {
  return host.length <= MAX_HOST_CHARS && HOST.test(host);
}
