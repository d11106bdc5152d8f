/**
 * Whether the runtime ties timers, signals and responses to the request that made them, as Cloudflare Workers do. A
 * promise of another request may never settle there, and nothing may start before the first request.
 */
export function isRequestScoped(): boolean {
  const { navigator } = globalThis as { navigator?: { readonly userAgent?: string } };
  return navigator?.userAgent === "Cloudflare-Workers";
}
