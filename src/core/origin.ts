/** The schemes of URLs that no page has as its origin. A page of `file:` has the origin `null`. */
const schemesWithoutPages: ReadonlySet<string> = new Set(["ws:", "wss:", "ftp:", "file:", "blob:"]);

/** An origin as browsers write it: a scheme, a host, and a port that is not the default one (RFC 6454 §6.2). */
const serializedOrigin = /^[a-z][a-z\d+.-]*:\/\/(?:[\w.~%-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/i;

/**
 * Whether `value` is an exact origin, of any scheme: `https://app.example.com`, `capacitor://localhost` or
 * `chrome-extension://…`. A wildcard, a path or another spelling would match no request. The origin `null` is refused,
 * because every sandboxed page sends it.
 */
export function isExactOrigin(value: unknown): value is string {
  if (typeof value !== "string" || !serializedOrigin.test(value)) return false;
  const url = URL.parse(value);
  if (url === null || schemesWithoutPages.has(url.protocol)) return false;
  // `origin` is `null` for the schemes of applications and extensions, whose URLs `href` repeats.
  return /^https?:$/.test(url.protocol) ? url.origin === value : url.href === value;
}
