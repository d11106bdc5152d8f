import { BlockList, isIP } from "node:net";
import { invalidOption } from "../core/options.ts";

/** Whether plain HTTP to a host of a URL is allowed. */
export type AllowedHttp = (hostname: string) => boolean;

/** Plain HTTP is allowed to this machine only. */
export const noHosts: AllowedHttp = () => false;

/**
 * Reads an `allowHttp` option: exact host names, addresses, and networks such as `10.0.0.0/8`. A network allows the
 * addresses in it, and no name that resolves to one of them. Throws `invalid_option`.
 */
export function readAllowHttp(name: string, value: unknown): AllowedHttp {
  if (value === undefined) return noHosts;
  if (!Array.isArray(value)) throw invalidOption(name, "a list of host names and networks", value);
  const names = new Set<string>();
  const networks = new BlockList();
  for (const entry of value as unknown[]) {
    if (typeof entry === "string" && (addNetwork(networks, entry) || addName(names, entry))) continue;
    throw invalidOption(
      name,
      "a list of host names, addresses and networks, without port or wildcard",
      entry,
    );
  }
  return (hostname) => {
    const address = hostname.replace(/^\[(.*)\]$/, "$1");
    const version = isIP(address);
    return version === 0 ? names.has(hostname) : networks.check(address, version === 6 ? "ipv6" : "ipv4");
  };
}

/** A URL may spell an address in several ways, so that a name which URLs read as an address is refused. */
function addName(names: Set<string>, entry: string): boolean {
  const name = entry.toLowerCase();
  if (!/^[a-z\d_](?:[a-z\d._-]*[a-z\d_])?$/.test(name) || URL.parse(`http://${name}/`)?.hostname !== name)
    return false;
  names.add(name);
  return true;
}

/** Returns whether `entry` is an address or a network. One of prefix 0 would allow every address by mistake. */
function addNetwork(networks: BlockList, entry: string): boolean {
  const [address = "", prefix, ...rest] = entry.split("/");
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  const family = version === 6 ? "ipv6" : "ipv4";
  if (prefix === undefined) {
    networks.addAddress(address, family);
    return true;
  }
  const bits = /^\d{1,3}$/.test(prefix) ? Number(prefix) : 0;
  if (bits < 1 || bits > (version === 6 ? 128 : 32)) return false;
  networks.addSubnet(address, bits, family);
  return true;
}
