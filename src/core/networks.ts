import { BlockList, isIP } from "node:net";

/** Adds an address, or a network such as `10.0.0.0/8`, to `networks`. Returns whether `text` is one. */
export function addNetwork(networks: BlockList, text: string): boolean {
  const [address = "", prefix, ...rest] = text.split("/");
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  const family = version === 6 ? "ipv6" : "ipv4";
  if (prefix === undefined) {
    networks.addAddress(address, family);
    return true;
  }
  const bits = Number(prefix);
  if (!/^(?:0|[1-9]\d{0,2})$/.test(prefix) || bits > (version === 6 ? 128 : 32)) return false;
  networks.addSubnet(address, bits, family);
  return true;
}
