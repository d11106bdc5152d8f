import { TokenCache } from "./token-cache.ts";
import type { TtlCacheOptions } from "./async-ttl-cache.ts";

/** Validates a token. Returns an object with its claims, or `null` when the token is not valid. */
export type TokenValidator<T extends object> = (token: string) => Promise<T | null> | T | null;

/**
 * Wraps a validator with a cache. Concurrent calls for one token share one call of the validator. A result is kept for
 * `ttlMs` (default 300,000) and never after its `exp`. `null` and errors are not kept. Pass a `TokenCache` instead of
 * options when you need to invalidate tokens.
 *
 * @example
 * ```ts
 * import { cachedJwtValidation } from "holdfast/cache";
 *
 * declare const verify: (token: string) => Promise<{ sub: string; exp: number } | null>;
 *
 * const validate = cachedJwtValidation(verify, { ttlMs: 60_000 });
 * const claims = await validate("eyJhbGciOi…");
 * console.log(claims?.sub ?? "not valid");
 * ```
 */
export function cachedJwtValidation<T extends object>(
  validate: TokenValidator<T>,
  options: Pick<TokenCache<T>, "getOrValidate"> | TtlCacheOptions = {},
): (token: string) => Promise<T | null> {
  const cache = isTokenCache(options) ? options : new TokenCache<T>(options);
  return async (token) => await cache.getOrValidate(token, validate);
}

/** A process can have the class more than once, because the packages `holdfast` and `holdfast-guard` each have it. */
function isTokenCache<T extends object>(
  options: Pick<TokenCache<T>, "getOrValidate"> | TtlCacheOptions,
): options is Pick<TokenCache<T>, "getOrValidate"> {
  return typeof (options as { getOrValidate?: unknown } | null)?.getOrValidate === "function";
}
