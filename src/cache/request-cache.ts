import { hash } from "node:crypto";

/**
 * For one request: the same token asked about twice is one decision. Make one for each request, around
 * `(token) => guard.authorize(token, rules)` or a validator of your own, and let it go with the request.
 */
export class RequestCache<T> {
  readonly #validate: (token: string) => Promise<T> | T;
  readonly #decisions = new Map<string, Promise<T>>();

  constructor(validate: (token: string) => Promise<T> | T) {
    this.#validate = validate;
  }

  /** What fails is not kept. */
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
