import { hash } from "node:crypto";

/**
 * Decides on each token once within one request. Create one for each request, around your validator, and drop it with the
 * request.
 *
 * @example
 * ```ts
 * import type { Guard } from "holdfast";
 * import { RequestCache } from "holdfast/cache";
 *
 * declare const guard: Guard;
 *
 * const cache = new RequestCache(async (token) => await guard.authorize(token, { scopes: ["orders:read"] }));
 * const decision = await cache.validate("eyJhbGciOi…");
 * console.log(decision.status);
 * ```
 */
export class RequestCache<T> {
  readonly #validate: (token: string) => Promise<T> | T;
  readonly #decisions = new Map<string, Promise<T>>();

  constructor(validate: (token: string) => Promise<T> | T) {
    this.#validate = validate;
  }

  /** Returns the decision on the token. A rejection is not kept, so the next call validates again. Every verdict is kept, `invalid` ones included. */
  async validate(token: string): Promise<T> {
    const digest = hash("sha256", token, "base64url");
    const decided = this.#decisions.get(digest);
    if (decided !== undefined) return await decided;
    const deciding = (async () => await this.#validate(token))();
    this.#decisions.set(digest, deciding);
    try {
      return await deciding;
    } catch (error) {
      this.#decisions.delete(digest);
      throw error;
    }
  }
}
