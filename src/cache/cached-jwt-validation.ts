import { TokenCache } from "./token-cache.ts";
import type { TtlCacheOptions } from "./async-ttl-cache.ts";

/** Answers for a token: an object with its claims, or `null` if the token is not valid. */
export type TokenValidator<T extends object> = (token: string) => Promise<T | null> | T | null;

/**
 * The same validator, asked once for each token: concurrent calls join, results are kept for `ttlMs` (5 minutes by
 * default) and never past their `exp`. `null` and errors are not kept. Bring a `TokenCache` of your own to invalidate.
 */
export function cachedJwtValidation<T extends object>(
  validate: TokenValidator<T>,
  options: TokenCache<T> | TtlCacheOptions = {},
): (token: string) => Promise<T | null> {
  const cache = options instanceof TokenCache ? options : new TokenCache<T>(options);
  return async (token) => await cache.getOrValidate(token, validate);
}
