import type { HoldfastError } from "./errors.ts";

/** The ids of the sessions that errors are about. A property of the error would appear in every log of it. */
const sessionIds = new WeakMap<object, string>();

/** Notes that the error says that the record of the session cannot be read. Returns the error. */
export function aboutDamagedSession(error: HoldfastError, id: string): HoldfastError {
  sessionIds.set(error, id);
  return error;
}

/** The id of the session when the error says that its record cannot be read. Otherwise `null`. */
export function damagedSessionId(error: unknown): string | null {
  return (typeof error === "object" && error !== null && sessionIds.get(error)) || null;
}
