import { isIP, SocketAddress } from "node:net";

/** The longest node identifier that is read: an IPv6 address with a zone, brackets, quotes and a port fits well. */
const MAX_NODE_CHARS = 128;

/**
 * Reads the address of a node identifier (RFC 7239 §6), as `X-Forwarded-For` and `Forwarded` have it. The identifier may
 * have a port, quotes, brackets and a zone. The address is returned in its canonical form, and an IPv4-mapped IPv6
 * address as IPv4. `null` for `unknown`, for an obfuscated identifier and for any other text.
 */
export function parseNodeAddress(text: string): string | null {
  if (text.length > MAX_NODE_CHARS) return null;
  const node = text.trim().replace(/^"(.*)"$/, "$1");
  const bracketed = /^\[([^\]]*)\](?::[\w.-]*)?$/.exec(node)?.[1];
  if (bracketed !== undefined) return bracketed.includes(":") ? canonicalAddress(bracketed) : null;
  // One colon separates the port of an IPv4 address. An IPv6 address has at least two.
  return canonicalAddress(node.replace(/^([^:]*):[\w.-]*$/, "$1"));
}

/** Returns one spelling for each address, without its zone. `null` for any other text. */
export function canonicalAddress(text: string): string | null {
  const address = text.split("%", 1)[0] ?? "";
  const version = isIP(address);
  if (version === 4) return address;
  if (version === 0) return null;
  const canonical = new SocketAddress({ address, family: "ipv6" }).address;
  // A dual-stack socket shows an IPv4 peer in this form.
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(canonical)?.[1];
  return mapped ?? canonical;
}

/** Lengths of a network's prefix: 8, 16, 24 or 32 bits for IPv4, any number up to 128 for IPv6. */
export interface PrefixBits {
  readonly ipv4: number;
  readonly ipv6: number;
}

/** An IPv6 subscriber usually owns a whole /64, so its addresses count as one. */
const subscriber: PrefixBits = { ipv4: 32, ipv6: 64 };

/** The network of an address, as a key. Any other text is its own network. */
export function networkOf(source: string, bits: PrefixBits = subscriber): string {
  const address = canonicalAddress(source);
  if (address === null) return source;
  if (isIP(address) === 4) return address.split(".", bits.ipv4 / 8).join(".");
  const prefix = toBigInt(address) >> BigInt(128 - bits.ipv6);
  return `${prefix.toString(16)}::/${bits.ipv6}`;
}

/** The number of a canonical IPv6 address. Its last 32 bits may be written as IPv4. */
function toBigInt(address: string): bigint {
  const hex = address.replace(
    /(\d+)\.(\d+)\.(\d+)\.(\d+)$/,
    (_, a: string, b: string, c: string, d: string) =>
      [Number(a) * 256 + Number(b), Number(c) * 256 + Number(d)].map((part) => part.toString(16)).join(":"),
  );
  const [left = [], right = []] = hex.split("::").map((half) => half.split(":").filter(Boolean));
  const zeros = Array<string>(8 - left.length - right.length).fill("0");
  const groups = hex.includes("::") ? [...left, ...zeros, ...right] : left;
  return BigInt(`0x${groups.map((group) => group.padStart(4, "0")).join("")}`);
}

/** Whether the address is one of a private network, of the link or of this machine (RFC 1918, 4193, 6598 and 6890). */
export function isPrivateAddress(source: string): boolean {
  const address = canonicalAddress(source);
  if (address === null) return false;
  return isIP(address) === 4
    ? /^(?:10|127|192\.168|169\.254|172\.(?:1[6-9]|2\d|3[01])|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\./.test(
        address,
      )
    : /^(?:::1$|f[cd]|fe[89ab])/.test(address);
}
