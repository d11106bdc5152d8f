export { cacheHealthCheck, type CacheHealth } from "./cache/cache-health-check.ts";
export { cachedJwtValidation, type TokenValidator } from "./cache/cached-jwt-validation.ts";
export { JwksCache } from "./cache/jwks-cache.ts";
export { RequestCache } from "./cache/request-cache.ts";
export { TokenCache } from "./cache/token-cache.ts";
export { TtlCache, type CacheStats, type TtlCacheOptions } from "./cache/ttl-cache.ts";
