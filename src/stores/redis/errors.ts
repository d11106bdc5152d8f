import { HoldfastError, isHoldfastError } from "../../core/errors.ts";

export const RETRY_AFTER_MS = 1000;

/** Matches errors after which the command had no effect: the server refused it, or the client did not send it. */
export const NOT_EXECUTED: RegExp =
  /\b(READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN)\b|client is offline/;

/** The client's error when too many commands wait for an answer. */
export const QUEUE_FULL = "The queue is full";

/** Converts an error of Redis or its client into a `HoldfastError` that names the store. */
export function toStoreError(description: string, error: unknown): HoldfastError {
  if (isHoldfastError(error)) return error;
  const reply = readMessage(error);
  if (reply.startsWith("EMPTIED")) {
    const message = `${description} was emptied or replaced while it was open: restore it, or restart`;
    return new HoldfastError("store_emptied", message, { cause: error });
  }
  if (reply.startsWith("WRONGTYPE")) {
    const message = `${description} holds data of another program under its key names: choose another prefix or database`;
    return new HoldfastError("store_corrupt", message, { cause: error });
  }
  return new HoldfastError("store_unavailable", `${description}: ${reply}`, {
    cause: error,
    retryAfterMs: RETRY_AFTER_MS,
  });
}

export function readMessage(error: unknown): string {
  if (!(error instanceof Error)) return "failed";
  // An aggregate error, after several addresses were tried, has a code and no message.
  return error.message === "" ? String((error as { code?: unknown }).code) : error.message;
}
