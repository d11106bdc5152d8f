import { instant } from "../core/clock.ts";
import type { Ladder } from "./ladder.ts";
import type { GuardStatus } from "./types.ts";

export function statusOf(ladder: Ladder): GuardStatus {
  const { name, policy, keyring, revocations, memory, flights } = ladder;
  return {
    name,
    state: stateOf(ladder),
    issuer: policy.issuer,
    keys: keyring.status(),
    revocations: revocations?.status() ?? null,
    memory: memory.status(),
    inFlight: flights.size,
  };
}

/**
 * Ready and degraded: a token with a known key gets a definite answer; degraded, while something behind that ails.
 * Starting and unavailable: none does, not yet or not any more.
 */
function stateOf({ closed, clock, keyring, revocations, maxRevocationAgeMs }: Ladder): GuardStatus["state"] {
  if (closed) return "closed";
  const keys = keyring.status();
  const ageMs = revocations?.ageMs(instant(clock)) ?? 0;
  const tooOld = ageMs > maxRevocationAgeMs;
  if (!keys.usable || (tooOld && ageMs === Infinity)) return "starting";
  if (tooOld) return "unavailable";
  return (keys.lastError ?? revocations?.status().lastError ?? null) === null ? "ready" : "degraded";
}
