import type { OutCause, TroubleCause } from "./types.ts";

/**
 * The service could not be asked. The user stays logged in, and the same call may succeed later.
 *
 * @example
 * ```ts
 * import { createAuthClient, Unavailable } from "holdfast/client";
 *
 * const auth = createAuthClient({ baseUrl: "https://id.example.com" });
 * try {
 *   await auth.accessToken();
 * } catch (error) {
 *   if (error instanceof Unavailable) console.log(`${error.cause}: again in ${error.retryAfterMs} ms`);
 * }
 * ```
 */
export class Unavailable extends Error {
  // A minifier renames the class.
  override readonly name = "Unavailable";
  declare readonly cause: TroubleCause;
  /** The client sends no request before this time has passed. */
  declare readonly retryAfterMs: number;

  constructor({ cause, retryAfterMs }: { cause: TroubleCause; retryAfterMs: number }) {
    super(cause, { cause });
    this.retryAfterMs = retryAfterMs;
  }
}

/**
 * The user is logged out.
 *
 * @example
 * ```ts
 * import { createAuthClient, Ended } from "holdfast/client";
 *
 * const auth = createAuthClient({ baseUrl: "https://id.example.com" });
 * await auth.accessToken().catch((error: unknown) => {
 *   if (error instanceof Ended) location.assign("/login");
 * });
 * ```
 */
export class Ended extends Error {
  override readonly name = "Ended";
  /** `null` before the first login. */
  declare readonly cause: OutCause | null;

  constructor(cause: OutCause | null) {
    super(cause ?? "no session", { cause });
  }
}

/**
 * The service refused a login.
 *
 * @example
 * ```ts
 * import { createAuthClient, LoginRefused } from "holdfast/client";
 *
 * const auth = createAuthClient({ baseUrl: "https://id.example.com" });
 * await auth.login({ username: "ann", password: "correct horse" }).catch((error: unknown) => {
 *   if (error instanceof LoginRefused) console.log(error.cause, error.retryAfterMs);
 * });
 * ```
 */
export class LoginRefused extends Error {
  override readonly name = "LoginRefused";
  /** The error of the service: `invalid_credentials`, `too_many_requests`. `logged_out` when a logout came in between. */
  declare readonly cause: string;
  /** The time before which the service refuses another attempt. */
  declare readonly retryAfterMs?: number;

  constructor(cause: string, retryAfterMs: number) {
    super(cause, { cause });
    if (retryAfterMs > 0) this.retryAfterMs = retryAfterMs;
  }
}
