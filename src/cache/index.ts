export { cacheHealthCheck, type CacheHealth } from "./cache-health-check.ts";
export { cachedJwtValidation, type TokenValidator } from "./cached-jwt-validation.ts";
export { JwksCache } from "./jwks-cache.ts";
export { RequestCache } from "./request-cache.ts";
export { TokenCache } from "./token-cache.ts";
export { TtlCache, type CacheStats, type TtlCacheOptions } from "./async-ttl-cache.ts";
