import { HoldfastError, isHoldfastError } from "../../core/errors.ts";
import { computeSlot } from "./cluster-slot.ts";
import { newerFormatError, readNewerFormat } from "./format.ts";

export const RETRY_AFTER_MS = 1000;

/** Matches errors after which the command had no effect: the server refused it, or the client did not send it. */
export const NOT_EXECUTED: RegExp =
  /\b(READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN)\b|client is offline|^not connected yet/;

/** Matches where in a script a command failed: that names no cause, and the digest is long. */
const SCRIPT_PLACE = /\.? script: [\da-f]+, on @user_script:\d+\.?/g;

/** Matches a reply of the server: it begins with the code of the error. */
const REPLY = /^[A-Z]{2,} /;

/** Matches replies of a server that this client should leave: it is no primary now, or no longer accepts the password. */
const WRONG_SERVER = /^(READONLY|NOAUTH|WRONGPASS|MASTERDOWN) /;

/** Matches the message of the package about a connection on which nothing arrives. */
const SILENT_SOCKET = /^Socket timeout .*\bin (\d+) ?ms\.$/;

/** Begins the reply of a script that found a session in a newer form. */
const NEWER_SESSION = "NEWER ";

/** Whether the error of `toStoreError` is about one session in a newer form. The store itself has a known format. */
export function isNewerSession({ cause }: HoldfastError): boolean {
  return readMessage(cause).startsWith(NEWER_SESSION);
}

/** Whether the error is the answer of a server that works. Without such an answer for long, the client is replaced. */
export function isAnswer(error: unknown): boolean {
  const message = readMessage(error);
  return isHoldfastError(error) || (REPLY.test(message) && !WRONG_SERVER.test(message));
}

/**
 * Converts an error of Redis or its client into a `HoldfastError` that names the store. `reason` is the last error of the
 * connection, which tells more than that the client is offline. `null` when the connection had no error.
 */
export function toStoreError(
  description: string,
  error: unknown,
  reason: string | null = null,
): HoldfastError {
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
  const format = readNewerFormat(reply);
  if (format !== null) return newerFormatError(description, format);
  if (reply.startsWith(NEWER_SESSION)) {
    return new HoldfastError("store_newer", `${description}: ${reply.slice(NEWER_SESSION.length)}`, {
      cause: error,
    });
  }
  // The last error of the connection may be an error of the store, which has the name already.
  const why = describeFailure(reply, reason).replaceAll(`${description}: `, "").replaceAll(SCRIPT_PLACE, "");
  return new HoldfastError("store_unavailable", `${description}: ${why}`, {
    cause: error,
    retryAfterMs: RETRY_AFTER_MS,
  });
}

/** Returns the error of a script that a cluster still does not run, because it moves the slot of the script's keys. */
export function splitError(key: string, cause: unknown): Error {
  const move = `slot ${computeSlot(key)} is being moved to another server`;
  const advice = "if the move was interrupted, run redis-cli --cluster fix";
  return new Error(`TRYAGAIN ${move}: ${advice}`, { cause });
}

export function readMessage(error: unknown): string {
  if (!(error instanceof Error)) return "failed";
  // An aggregate error, after several addresses were tried, has a code and no message.
  if (error.message === "") return String((error as { code?: unknown }).code);
  return error.message.replace(SILENT_SOCKET, "no answer within $1 ms");
}

function describeFailure(message: string, reason: string | null): string {
  const isOffline = /client is (offline|closed)|^not connected yet/i.test(message);
  if (reason === null || REPLY.test(message) || message.includes(reason)) {
    return /client is/i.test(message) ? "not connected" : message;
  }
  return isOffline ? `not connected: ${reason}` : `${message}, not connected: ${reason}`;
}
