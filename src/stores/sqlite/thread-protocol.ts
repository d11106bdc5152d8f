import { HoldfastError, type ErrorCode } from "../../core/errors.ts";
import type { RevocationEntry } from "../../core/revocation.ts";
import type { Commit } from "./commit-counts.ts";

/*
 * The messages between the store's thread and the thread of the application. One message carries everything that one
 * turn of the sender's event loop has collected.
 */

/** The options that start the thread. */
export interface ThreadOptions {
  readonly file: string;
  readonly lockTimeoutMs: number;
  readonly newEpoch?: string;
  /** For tests and benchmarks: how long each commit blocks the thread, ms. */
  readonly commitDelayMs?: number;
  /** The application's clock at the start. `null` when the thread uses the clock of the system. */
  readonly moment: Moment | null;
  /** The file that the store was opened on before its thread was started again. `null` at the first start. */
  readonly expectedFile: FileIdentity | null;
}

/** Distinguishes the file from another one with the same name. */
export interface FileIdentity {
  readonly dev: number;
  readonly ino: number;
}

/** The application's clock and random number at one moment. */
export interface Moment {
  readonly wall: number;
  readonly monotonic: number;
  readonly random: number;
}

/** One call of a method of the store. The part of `now`, `prune` and `close` is `""`. */
export type Command = readonly [id: number, part: string, method: string, args: readonly unknown[]];

/** A message to the store's thread. */
export interface ThreadRequest {
  readonly commands?: readonly Command[];
  /** The answer whose next slice may be sent. */
  readonly next?: number;
  /** Whether the application has a listener for revocations. */
  readonly watch?: boolean;
  /** The timer of the thread that has fired. */
  readonly fired?: number;
  /** Is present when the application injects its clock. */
  readonly moment?: Moment;
}

/** The answer to a command. `error` decides which of the two it is. */
export type Answer = readonly [id: number, value: unknown, error: EncodedError | null];

/** A message from the store's thread. Entries come before the answers that acknowledge them. */
export interface ThreadResponse {
  /** The methods by part. It is the first message of a thread that has opened the store. */
  readonly opened?: OpenedThread;
  /** Why the store could not be opened. It is the only message of the thread. */
  readonly failed?: EncodedError;
  readonly published?: readonly RevocationEntry[];
  readonly answers?: readonly Answer[];
  /** The transactions since the last message, for metrics. */
  readonly commits?: readonly Commit[];
  /** A slice of the list in an answer that follows. */
  readonly slice?: readonly [id: number, items: readonly unknown[]];
  /** A timer to set on the application's clock: `ms` after the moment `from`, monotonic. */
  readonly timer?: readonly [id: number, from: number, ms: number];
  /** A timer that is not needed any more. */
  readonly cancelled?: number;
}

/** The open store, as its thread describes it. */
export interface OpenedThread {
  readonly methods: Readonly<Record<string, readonly string[]>>;
  readonly file: FileIdentity;
}

/** An error without the members that cannot be sent. */
export interface EncodedError {
  readonly name: string;
  readonly message: string;
  readonly code: string | undefined;
  /** `null` for an error of another class than `HoldfastError`. */
  readonly retryAfterMs: number | null;
  readonly cause: EncodedError | null;
}

export function encodeError(error: unknown): EncodedError {
  if (!(error instanceof Error)) {
    return { name: "Error", message: String(error), code: undefined, retryAfterMs: null, cause: null };
  }
  const { code } = error as { code?: unknown };
  return {
    name: error.name,
    message: error.message,
    code: typeof code === "string" ? code : undefined,
    retryAfterMs: error instanceof HoldfastError ? error.retryAfterMs : null,
    cause: error.cause === undefined ? null : encodeError(error.cause),
  };
}

export function decodeError({ name, message, code, retryAfterMs, cause }: EncodedError): Error {
  const options = cause === null ? {} : { cause: decodeError(cause) };
  if (retryAfterMs !== null) {
    return new HoldfastError(code as ErrorCode, message, { ...options, retryAfterMs });
  }
  return Object.assign(new Error(message, options), { name }, code === undefined ? {} : { code });
}

/** The list in the result of a command that can be long: the result itself, or its member `entries`. */
export function listIn(result: unknown): readonly unknown[] | null {
  if (Array.isArray(result)) return result;
  const { entries } = (result ?? {}) as { entries?: unknown };
  return Array.isArray(entries) ? entries : null;
}

/** The result with another list in the place of its list. */
export function withList(result: unknown, list: readonly unknown[]): unknown {
  return Array.isArray(result) ? list : { ...(result as object), entries: list };
}
