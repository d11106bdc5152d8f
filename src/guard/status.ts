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

/** Ready: a token with a known key gets a definite answer. Degraded: one of the things behind that is ailing. */
function stateOf({ closed, clock, keyring, revocations, maxRevocationAgeMs }: Ladder): GuardStatus["state"] {
  if (closed) return "closed";
  const keys = keyring.status();
  const ageMs = revocations?.ageMs(instant(clock)) ?? 0;
  if (!keys.usable || (ageMs === Infinity && maxRevocationAgeMs !== Infinity)) return "starting";
  const ailing = keys.lastError ?? revocations?.status().lastError ?? null;
  return ailing !== null || ageMs > maxRevocationAgeMs ? "degraded" : "ready";
}
