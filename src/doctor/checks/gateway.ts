import type { BlockList } from "node:net";
import type { Check } from "../check.ts";
import type { DoctorContext } from "../context.ts";
import { fail, ok, skip, type Finding } from "../finding.ts";
import { askHealth, describeComponent } from "../process-health.ts";

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
  async run(context) {
    const { settings, policy, given, otherSettings } = context;
    if (!settings.roles.has("gateway")) return [skip("this service has no gateway")];
    if (trustsStrangers(settings.trustedProxies)) {
      const detail =
        "HOLDFAST_TRUSTED_PROXIES trusts addresses of the internet: anybody can claim a path and an address";
      return [fail(detail, "name the address or the network of your proxies only")];
    }
    const refusals = await findRefusals(context);
    if (refusals.length > 0) return refusals;
    const other = otherSettings.flatMap(({ names }) => names).find((name) => SETTINGS.has(name));
    if (other !== undefined) {
      return [skip(`the running service has another ${other} than this command: see the line of settings`)];
    }
    const hasProxies = given.some(({ name }) => name === "HOLDFAST_TRUSTED_PROXIES");
    const rules =
      policy == null ? "no policy: every valid token passes" : `a policy with ${policy.length} rules`;
    return [ok(`${rules}${hasProxies ? "" : "; no proxy is trusted"}`)];
  },
};

/** Only a running process knows which proxy asks it. The line of the health says the same in the same words. */
async function findRefusals(context: DoctorContext): Promise<Finding[]> {
  const running = context.processes.filter(({ found }) => found === "process");
  const found = running.map(async (one) => {
    const gateway = (await askHealth(context, one))?.health?.components["gateway"];
    if (gateway === undefined || gateway.status === "ok") return [];
    return [fail(describeComponent(gateway), gateway.advice ?? "add the proxy to HOLDFAST_TRUSTED_PROXIES")];
  });
  return (await Promise.all(found)).flat();
}

function trustsStrangers(proxies: BlockList): boolean {
  return FOREIGN.some(([address, family]) => proxies.check(address, family));
}
