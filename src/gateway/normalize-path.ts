/** A path of segments (RFC 3986 §3.3) of which none is empty or consists of dots. It may end in a slash. */
const strictPath = /^(?:\/(?!\.+(?:\/|$))(?:[\w\-.~!$&'()*+,=:@|[\]]|%[\dA-F]{2})+)*\/?$/i;
/** The escapes of `.`, `/`, `;` and `\`, which separate segments or parts of them. */
const escapedSeparator = /%(?:2[EF]|3B|5C)/i;

/** A second escape, a control character, a separator, or a segment of dots and blanks. */
const ambiguous = /%[\dA-F]{2}|\p{Cc}|[;\\]|\/[. ]*(?:\/|$)/iu;

/**
 * Returns the form that rules are compared with: percent-decoded as UTF-8, without query and final slash (`/` becomes
 * `""`). `null` when a server behind the proxy could read the target as another path.
 */
export function normalizePath(target: string): string | null {
  const query = target.indexOf("?");
  const path = query === -1 ? target : target.slice(0, query);
  if (path === "" || !strictPath.test(path)) return null;
  const trimmed = path.endsWith("/") ? path.slice(0, -1) : path;
  if (!trimmed.includes("%")) return trimmed;
  if (escapedSeparator.test(trimmed)) return null;
  try {
    const decoded = decodeURIComponent(trimmed);
    const normal = decoded.normalize("NFKC"); // It maps `．` to `.` and `／` to `/`.
    const keepsSegments = normal.split("/").length === decoded.split("/").length;
    return keepsSegments && !ambiguous.test(normal) ? decoded : null;
  } catch {
    return null; // The escapes are not UTF-8.
  }
}
