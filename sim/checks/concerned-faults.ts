import type { Plan } from "../plan.ts";
import type { Facts } from "./facts.ts";
import type { FaultTime } from "./fault-times.ts";

/**
 * Whether a fault can change what a process decides and what its health tells. A service reaches only its store, whose
 * faults have kinds of their own. A guard also reaches the services over the network, and some guards an authority.
 */
export function concerns(
  { fault, process }: Pick<FaultTime, "fault" | "process">,
  name: unknown,
  { services, guards }: Pick<Plan, "services" | "guards">,
): boolean {
  if (process === name || fault.startsWith("store")) return true;
  if (services.some((service) => service === name) || fault.startsWith("client")) return false;
  if (fault === "authority fails") return guards.some((guard) => guard.name === name && guard.hasAuthority);
  return process === null || services.includes(process);
}

/** Whether a fault that concerns a process began between two times, or the store lost a change then. */
export function hasFaultBegun(
  { faults, losses }: Pick<Facts, "faults" | "losses">,
  name: unknown,
  plan: Pick<Plan, "services" | "guards">,
  [from, to]: readonly [from: number, to: number],
): boolean {
  return (
    losses.hasBegun(from, to) ||
    faults.some((fault) => from < fault.began && fault.began < to && concerns(fault, name, plan))
  );
}
