import { readFileSync } from "node:fs";
import { isTrustedProxy } from "../../adapters/http/client-address.ts";
import { networkOf } from "../../core/address.ts";
import type { Settings } from "../settings.ts";
import type { ConnectionLimitOptions } from "./connection-limits.ts";

/** Descriptors that are kept for the store, its backups, Redis, the admin listener and calls to a provider. */
const RESERVED_DESCRIPTORS = 96;
/** The fewest connections of the public listener, however few descriptors the process may open. */
const MIN_CONNECTIONS = 16;
/** The most connections of the public listener, also where the system sets no limit. Each costs some memory. */
const MAX_CONNECTIONS = 10_000;

/** The limits of the public listener. A trusted proxy brings the connections of many clients, so it has no own limit. */
export function publicConnectionLimits({
  connectionsPerPeer,
  trustedProxies,
}: Pick<Settings, "connectionsPerPeer" | "trustedProxies">): ConnectionLimitOptions {
  return {
    max: connectionsWithin(readDescriptorLimit()),
    maxPerPeer: connectionsPerPeer,
    peerOf: ({ remoteAddress }) => {
      // A socket that was reset before it was accepted has no address.
      if (remoteAddress === undefined) return "unknown";
      return isTrustedProxy(trustedProxies, remoteAddress) ? null : networkOf(remoteAddress);
    },
  };
}

/** The admin listener is reached from this machine only. */
export const adminConnectionLimits: ConnectionLimitOptions = {
  max: 32,
  maxPerPeer: 32,
  peerOf: () => "this machine",
};

/** How many connections leave enough of these descriptors for the rest of the process. `null` without a limit. */
export function connectionsWithin(descriptors: number | null): number {
  const free = (descriptors ?? Infinity) - RESERVED_DESCRIPTORS;
  return Math.max(MIN_CONNECTIONS, Math.min(MAX_CONNECTIONS, free));
}

/** How many descriptors this process may open. `null` when the system does not tell, or sets no limit. */
function readDescriptorLimit(): number | null {
  try {
    const soft = /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
    return soft === undefined ? null : Number(soft);
  } catch {
    return null; // Only Linux has this file.
  }
}
