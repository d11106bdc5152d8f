import { HoldfastError, isHoldfastError } from "../../core/errors.ts";

export const RETRY_AFTER_MS = 1000;

/** What the server says before it does anything, or the client instead of sending it. */
export const NOT_EXECUTED: RegExp =
  /\b(READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN)\b|client is offline/;

/** What the client says when more waits for answers than may. */
export const QUEUE_FULL = "The queue is full";

/** Whatever Redis or its client said, as an error of ours that names the store. */
export function toStoreError(description: string, error: unknown): HoldfastError {
  if (isHoldfastError(error)) return error;
  const reply = readMessage(error);
  if (reply.startsWith("EMPTIED")) {
    const message = `${description} was emptied or replaced while it was open: restore it, or restart`;
    return new HoldfastError("store_emptied", message, { cause: error });
  }
  if (reply.startsWith("WRONGTYPE")) {
    const message = `${description} holds something else under our names: choose another prefix or database`;
    return new HoldfastError("store_corrupt", message, { cause: error });
  }
  return new HoldfastError("store_unavailable", `${description}: ${reply}`, {
    cause: error,
    retryAfterMs: RETRY_AFTER_MS,
  });
}

export function readMessage(error: unknown): string {
  if (!(error instanceof Error)) return "failed";
  // Several addresses were tried: each has its error, and the whole has no message.
  return error.message === "" ? String((error as { code?: unknown }).code) : error.message;
}
