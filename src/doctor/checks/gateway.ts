import type { BlockList } from "node:net";
import type { Check } from "../check.ts";
import { fail, ok, skip } from "../finding.ts";

/** Addresses of documentation (RFC 5737, RFC 3849), which no network uses. A list that has one of them has everything. */
const FOREIGN = [
  ["192.0.2.1", "ipv4"],
  ["203.0.113.1", "ipv4"],
  ["2001:db8::1", "ipv6"],
] as const;

const SETTINGS = new Set(["HOLDFAST_POLICY", "HOLDFAST_TRUSTED_PROXIES", "HOLDFAST_ROLES"]);

export const gatewayCheck: Check = {
  name: "gateway",
  group: "configuration",
  run: async ({ settings, policy, given, otherSettings }) => {
    if (!settings.roles.has("gateway")) return [skip("this service has no gateway")];
    if (trustsStrangers(settings.trustedProxies)) {
      const detail =
        "HOLDFAST_TRUSTED_PROXIES trusts addresses of the internet: anybody can claim a path and an address";
      return [fail(detail, "name the address or the network of your proxies only")];
    }
    const other = otherSettings.flatMap(({ names }) => names).find((name) => SETTINGS.has(name));
    if (other !== undefined) {
      return [skip(`the running service has another ${other} than this command: see the line of settings`)];
    }
    const hasProxies = given.some(({ name }) => name === "HOLDFAST_TRUSTED_PROXIES");
    const rules =
      policy == null ? "no policy: every valid token passes" : `a policy with ${policy.length} rules`;
    return await Promise.resolve([ok(`${rules}${hasProxies ? "" : "; no proxy is trusted"}`)]);
  },
};

function trustsStrangers(proxies: BlockList): boolean {
  return FOREIGN.some(([address, family]) => proxies.check(address, family));
}
