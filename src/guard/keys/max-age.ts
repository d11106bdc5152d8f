/**
 * How long an answer says that it is good for (RFC 9111 §5.2.2), in milliseconds from now: the time it lay in caches
 * on the way is taken off. 0 when it is not to be kept; `null` when it does not say.
 */
export function maxAgeMs(headers: Headers): number | null {
  const directives = headers.get("cache-control") ?? "";
  if (/(^|[\s,])no-(store|cache)\b/i.test(directives)) return 0;
  const seconds = /(?:^|[\s,])max-age="?(\d+)/i.exec(directives)?.[1];
  if (seconds === undefined) return null;
  const ageSeconds = /^\d+$/.exec(headers.get("age") ?? "")?.[0] ?? "0";
  return Math.max(0, Number(seconds) - Number(ageSeconds)) * 1000;
}
