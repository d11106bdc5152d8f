import { BlockList, isIP } from "node:net";
import { addNetwork } from "../core/networks.ts";
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
    if (typeof entry === "string" && (addBoundedNetwork(networks, entry) || addName(names, entry))) continue;
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

/** A network of prefix 0 is refused, because it would allow every address by mistake. */
function addBoundedNetwork(networks: BlockList, entry: string): boolean {
  return !entry.endsWith("/0") && addNetwork(networks, entry);
}
