/**
 * How long a response may be reused (RFC 9111 §5.2.2), in milliseconds from now: `max-age` less the time that the
 * response spent in caches. 0 when the response must not be stored. `null` when the headers do not say.
 */
export function maxAgeMs(headers: Headers): number | null {
  const directives = headers.get("cache-control") ?? "";
  if (/(^|[\s,])no-(store|cache)\b/i.test(directives)) return 0;
  const seconds = /(?:^|[\s,])max-age="?(\d+)/i.exec(directives)?.[1];
  if (seconds === undefined) return null;
  return Math.max(0, Number(seconds) - ageSeconds(headers)) * 1000;
}

/**
 * The longest time that a response may have spent in caches (RFC 9111 §5.1), in milliseconds. 0 when the response
 * comes from the origin server. `Age` is a whole number, so up to a second is added.
 */
export function cachedForMs(headers: Headers): number {
  const seconds = ageSeconds(headers);
  return seconds === 0 ? 0 : (seconds + 1) * 1000;
}

function ageSeconds(headers: Headers): number {
  return Number(/^\d+$/.exec(headers.get("age") ?? "")?.[0] ?? "0");
}
