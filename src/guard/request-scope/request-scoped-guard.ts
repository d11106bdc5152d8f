import { HoldfastError } from "../../core/errors.ts";
import { unavailableVerdict } from "../../core/verdict.ts";
import type { GuardSettings } from "../settings.ts";
import type { Guard } from "../types.ts";

/**
 * Makes a guard for a runtime that ties timers, signals and promises to a request. Each call opens a new guard and closes
 * it. The calls share the fetched keys as plain data, and nothing starts before the first call.
 */
export function createRequestScopedGuard<C>(
  settings: GuardSettings,
  open: (settings: GuardSettings) => Guard<C>,
): Guard<C> {
  for (const name of ["revocationFeed", "snapshots", "shared"] as const) {
    const isGiven = settings.issuers.some((issuer) => name in issuer && issuer[name as never] !== undefined);
    if (isGiven || settings[name as never] !== undefined) {
      const option = name === "revocationFeed" ? "revocations" : name;
      throw unsupported(`${option} needs a process that lives for longer than a request`);
    }
  }
  let isClosed = false;
  const use = async <T>(call: (guard: Guard<C>) => Promise<T>): Promise<T> => {
    const guard = open(settings);
    try {
      return await call(guard);
    } finally {
      await guard.close();
    }
  };
  const useSync = <T>(call: (guard: Guard<C>) => T): T => {
    const guard = open(settings);
    try {
      return call(guard);
    } finally {
      void guard.close();
    }
  };
  return {
    name: settings.name,
    validate: async (token, call) =>
      isClosed ? unavailableVerdict("closed") : await use(async (guard) => await guard.validate(token, call)),
    authorize: async (token, rules) =>
      isClosed
        ? unavailableVerdict("closed")
        : await use(async (guard) => await guard.authorize(token, rules)),
    // An admission outlives the call. Its guard has no timers that outlive the request.
    admit: async (token, rules) =>
      isClosed ? unavailableVerdict("closed") : await open(settings).admit(token, rules),
    // A guard without a revocation log has nothing to watch.
    watch: () => () => {},
    status: () => useSync((guard) => guard.status()),
    metrics: () => useSync((guard) => guard.metrics()),
    ready: async (options) => await use(async (guard) => await guard.ready(options)),
    distrustKeys: () => {
      throw unsupported("distrustKeys needs a process; deploy the worker again with other keys");
    },
    refreshKeys: () => {
      throw unsupported("refreshKeys needs a process; each request fetches the key set when it is due");
    },
    forceBreaker: () => {
      throw unsupported("forceBreaker needs a process that lives for longer than a request");
    },
    close: async () => {
      isClosed = true;
      await Promise.resolve();
    },
  };
}

function unsupported(message: string): HoldfastError {
  return new HoldfastError("invalid_option", `createGuard on this runtime: ${message}`);
}
