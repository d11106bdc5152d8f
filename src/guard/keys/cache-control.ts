/**
 * How long an answer says that it is good for (RFC 9111 §5.2.2), in milliseconds from now: the time it lay in caches
 * on the way is taken off. 0 when it is not to be kept; `null` when it does not say.
 */
export function maxAgeMs(headers: Headers): number | null {
  const directives = headers.get("cache-control") ?? "";
  if (/(^|[\s,])no-(store|cache)\b/i.test(directives)) return 0;
  const seconds = /(?:^|[\s,])max-age="?(\d+)/i.exec(directives)?.[1];
  if (seconds === undefined) return null;
  return Math.max(0, Number(seconds) - ageSeconds(headers)) * 1000;
}

/** How old an answer may be at most (RFC 9111 §5.1), in milliseconds; 0 when it comes from its origin. */
export function cachedForMs(headers: Headers): number {
  const seconds = ageSeconds(headers);
  return seconds === 0 ? 0 : (seconds + 1) * 1000;
}

function ageSeconds(headers: Headers): number {
  return Number(/^\d+$/.exec(headers.get("age") ?? "")?.[0] ?? "0");
}
