import { isHoldfastError } from "../core/errors.ts";
import { guardEvents } from "../core/event-channels.ts";
import type { GuardEvent } from "../core/events.ts";
import type { Counts } from "../core/metrics.ts";
import type { Tracing } from "../core/tracing.ts";
import type { ConsoleWarnings } from "./console-warnings.ts";

/** The guard that an event is about, and its issuer when the event concerns only one. */
export interface GuardEventSource {
  /** The guard's name. */
  readonly guard: string;
  /** `null` when the event concerns all issuers. */
  readonly issuer: string | null;
  /** Counts the events of this source, for the metrics of the guard. */
  readonly eventCounts?: Pick<Counts, "add"> | undefined;
  /** Explains failures on the console. */
  readonly warnings?: Pick<ConsoleWarnings, "noteKeysFailure"> | undefined;
  /** Records the spans of this source. */
  readonly tracing?: Tracing | undefined;
  /** Whether events are only counted now, because anyone may have made up the issuer. Default: never. */
  readonly isMuted?: () => boolean;
}

/** Counts an event and publishes it on the channel `holdfast:guard`. `url` is the address of keys that were not fetched. */
export function emit(
  source: GuardEventSource,
  event: GuardEvent["event"],
  message: string,
  url?: string,
): void {
  const { guard, issuer, eventCounts, warnings, isMuted } = source;
  eventCounts?.add(event);
  if (isMuted?.() === true) return;
  if (event === "keys_failed") warnings?.noteKeysFailure(issuer, message, url);
  if (guardEvents.hasSubscribers) guardEvents.publish({ guard, issuer, event, message });
}

/**
 * Describes an error for events and status. Messages of foreign errors can quote a token or a URL with credentials, so
 * only their code or name is used.
 */
export function describeError(error: unknown): string {
  if (isHoldfastError(error)) return error.message;
  if (!(error instanceof Error)) return "a value that is not an Error was thrown";
  const { code } = (error.cause ?? error) as { code?: unknown };
  return typeof code === "string" ? code : error.name;
}
