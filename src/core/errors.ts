/**
 * The codes of {@link HoldfastError}. Codes are part of the API, and docs/reference/errors.md describes each of them.
 *
 * An expected outcome is a verdict and no error. An error means misuse, or a dependency that failed and that no policy
 * covers.
 */
export type ErrorCode =
  /** An option, setting or argument is missing, unknown, of the wrong type or out of range. */
  | "invalid_option"
  /** An injected part lacks a method that its role needs. */
  | "missing_method"
  /** A key cannot be used: it is malformed, too weak or of the wrong kind. */
  | "invalid_key"
  /** The runtime is older than Node 22.19. */
  | "unsupported_runtime"
  /** `ready()` gave up waiting. The message names what is missing. */
  | "not_ready"
  /** The part was used after `close()`. */
  | "closed"
  /** The store could not be read, or did not make a write durable in time. No write was acknowledged. */
  | "store_unavailable"
  /** The store's data is damaged. */
  | "store_corrupt"
  /** The store was written by a newer version. */
  | "store_newer"
  /** The store is empty, although this machine knows that it held data. */
  | "store_emptied"
  /** The store belongs to another secret. */
  | "store_mismatch"
  /** The application's `authenticate` threw, or returned something other than an identity. */
  | "authenticate_failed"
  /** The application's `renew` threw, or returned something other than the same user or `null`. */
  | "renew_failed"
  /** The response of another server cannot be used. */
  | "upstream_failed"
  /** Too much work of this kind is waiting already. */
  | "overloaded"
  /** A deadline passed. */
  | "timeout";

/** Marks the errors of every copy of this module in a process. */
const brand = Symbol.for("holdfast.error");

/**
 * The only error class of Holdfast. Programs decide by `code`. A message never contains a token, a password or a secret.
 *
 * @example
 * ```ts
 * import { createGuard, HoldfastError } from "holdfast";
 *
 * try {
 *   createGuard({ issuer: "https://id.example.com", audience: "" });
 * } catch (error) {
 *   if (error instanceof HoldfastError) console.error(error.code, error.message);
 * }
 * ```
 */
export class HoldfastError extends Error {
  /**
   * Whether `value` is an error of Holdfast. A process can have the class more than once, because the packages `holdfast`
   * and `holdfast-guard` each have it.
   */
  static override [Symbol.hasInstance](value: unknown): boolean {
    if (this !== HoldfastError) return Function.prototype[Symbol.hasInstance].call(this, value);
    return typeof value === "object" && value !== null && brand in value;
  }

  override readonly name: string = "HoldfastError";
  readonly code: ErrorCode;
  /** How long to wait before another attempt, in milliseconds. 0 when that is unknown. */
  readonly retryAfterMs: number;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown; retryAfterMs?: number }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryAfterMs = options?.retryAfterMs ?? 0;
    Object.defineProperty(this, brand, { value: true });
  }
}

/**
 * Whether `error` is a {@link HoldfastError} and, when `code` is given, has that code.
 *
 * @example
 * ```ts
 * import { createGuard, isHoldfastError } from "holdfast";
 *
 * const guard = createGuard({ issuer: "https://id.example.com", audience: "https://api.example.com" });
 * try {
 *   await guard.ready();
 * } catch (error) {
 *   if (!isHoldfastError(error, "not_ready")) throw error;
 *   console.error("The guard starts without keys:", error.message);
 * }
 * ```
 */
export function isHoldfastError(error: unknown, code?: ErrorCode): error is HoldfastError {
  return error instanceof HoldfastError && (code === undefined || error.code === code);
}

/** The code of a system error, such as `ENOENT`. `undefined` when `error` has no code. */
export function systemErrorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}
