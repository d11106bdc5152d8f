/** Segments of RFC 3986 §3.3, none of them empty or made of dots; a last slash may stand alone. */
const strictPath = /^(?:\/(?!\.+(?:\/|$))(?:[\w\-.~!$&'()*+,=:@|[\]]|%[\dA-F]{2})+)*\/?$/i;
/** Escapes of what separates: `.`, `/`, `;`, `\`. */
const escapedSeparator = /%(?:2[EF]|3B|5C)/i;

/** An escape of an escape, a control character, a separator, or a segment of dots and blanks. */
const ambiguous = /%[\dA-F]{2}|\p{Cc}|[;\\]|\/[. ]*(?:\/|$)/iu;

/**
 * What a rule is compared with: the path percent-decoded as UTF-8, without query and last slash (so `/` is `""`).
 * `null` for one that a server behind the proxy could take for another path.
 */
export function normalizePath(target: string): string | null {
  const query = target.indexOf("?");
  const path = query === -1 ? target : target.slice(0, query);
  if (path === "" || !strictPath.test(path)) return null;
  const bare = path.endsWith("/") ? path.slice(0, -1) : path;
  if (!bare.includes("%")) return bare;
  if (escapedSeparator.test(bare)) return null;
  try {
    const decoded = decodeURIComponent(bare);
    const normal = decoded.normalize("NFKC"); // Where `．` and `／` are `.` and `/`.
    const hasItsSegments = normal.split("/").length === decoded.split("/").length;
    return hasItsSegments && !ambiguous.test(normal) ? decoded : null;
  } catch {
    return null; // Escapes that are not UTF-8.
  }
}
