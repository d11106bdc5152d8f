import { isHoldfastError } from "../core/errors.ts";
import { guardEvents, type GuardEvent } from "../core/events.ts";

/** Who says it: a guard, or its part that serves one issuer. */
export interface GuardEventSource {
  /** The guard's name. */
  readonly guard: string;
  readonly issuer: string | null;
}

export function emit({ guard, issuer }: GuardEventSource, event: GuardEvent["event"], message: string): void {
  if (guardEvents.hasSubscribers) guardEvents.publish({ guard, issuer, event, message });
}

/**
 * What may be said of an error. Messages of others can quote a URL with credentials or a token, so only their
 * code or name is passed on.
 */
export function describeError(error: unknown): string {
  if (isHoldfastError(error)) return error.message;
  if (!(error instanceof Error)) return "a value that is no error was thrown";
  const { code } = (error.cause ?? error) as { code?: unknown };
  return typeof code === "string" ? code : error.name;
}
