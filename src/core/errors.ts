/**
 * Every code an error of Holdfast can carry. Codes are API: each stands in docs/errors.md.
 * An expected outcome is a verdict; an error is misuse, or a dependency that no policy covers.
 */
export type ErrorCode =
  /** An option, setting or argument is missing, unknown, of the wrong type or out of range. */
  | "invalid_option"
  /** An injected part lacks a method that its role needs. */
  | "missing_method"
  /** A key cannot be used: malformed, too weak, of the wrong kind. */
  | "invalid_key"
  /** `ready()` gave up waiting; the message names what is missing. */
  | "not_ready"
  /** The part was used after `close()`. */
  | "closed"
  /** The store could not be read or did not make a write durable in time. Nothing was acknowledged. */
  | "store_unavailable"
  /** The store's data is damaged. */
  | "store_corrupt"
  /** The store was written by a newer version. */
  | "store_newer"
  /** The store is empty although this machine knows that it held data. */
  | "store_emptied"
  /** The store belongs to another secret. */
  | "store_mismatch"
  /** What the caller brought failed: `authenticate` threw or answered nonsense. */
  | "authenticate_failed"
  /** Another server's answer cannot be used. */
  | "upstream_failed"
  /** Too much work of this kind is waiting already. */
  | "overloaded"
  /** A deadline passed. */
  | "timeout";

/** The only error class. Narrow on `code`. Messages never hold a token, password or secret. */
export class HoldfastError extends Error {
  override readonly name: string = "HoldfastError";
  readonly code: ErrorCode;
  /** When it is worth trying again, in milliseconds from now; 0 when nobody knows. */
  readonly retryAfterMs: number;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown; retryAfterMs?: number }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryAfterMs = options?.retryAfterMs ?? 0;
  }
}

export function isHoldfastError(error: unknown, code?: ErrorCode): error is HoldfastError {
  return error instanceof HoldfastError && (code === undefined || error.code === code);
}
