/** A path of segments (RFC 3986 §3.3) of which none is empty or consists of dots. It may end in a slash. */
const strictPath = /^(?:\/(?!\.+(?:\/|$))(?:[\w\-.~!$&'()*+,=:@|[\]]|%[\dA-F]{2})+)*\/?$/i;
/** The escapes of `.`, `/`, `;` and `\`, which separate segments or parts of them. */
const escapedSeparator = /%(?:2[EF]|3B|5C)/i;

/** Longer paths are refused before any work on them, because Unicode normalization can take quadratic time (law 6). */
const MAX_PATH_CHARS = 8192;
const escapedSlash = /%2F/gi;

/** A second escape, a control character, a separator, or a segment of dots and blanks. */
const ambiguous = /%[\dA-F]{2}|\p{Cc}|[;\\]|\/[. ]*(?:\/|$)/iu;

/**
 * Returns the form that rules are compared with: percent-decoded as UTF-8, without query and final slash (`/` becomes
 * `""`). `null` when a server behind the proxy could read the target as another path.
 */
export function normalizePath(target: string): string | null {
  const path = withoutQuery(target);
  if (path === "" || path.length > MAX_PATH_CHARS || !strictPath.test(path)) return null;
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

/**
 * Returns every form of the path that a server behind the proxy could compare: one, or three when the path has an escaped
 * slash. Then the slash belongs to a segment, separates segments, or is merged with the slashes beside it. `null` when
 * the path could be read in yet another way.
 */
export function readPath(target: string): readonly [string, ...string[]] | null {
  const path = withoutQuery(target);
  if (path.length > MAX_PATH_CHARS) return null;
  if (path.search(escapedSlash) === -1) {
    const only = normalizePath(path);
    return only === null ? null : [only];
  }
  // An escape that stands for one character of a segment keeps the segment whole. Rules cannot contain U+FFFF.
  const kept = normalizePath(path.replaceAll(escapedSlash, KEPT_SLASH));
  const separated = path.replaceAll(escapedSlash, "/");
  const merged = normalizePath(separated.replaceAll(/\/{2,}/g, "/"));
  if (kept === null || merged === null) return null;
  // Each character between the slashes was checked in `merged`.
  const decoded = decodeURIComponent(separated);
  return [kept, decoded.endsWith("/") ? decoded.slice(0, -1) : decoded, merged];
}

/** The escape of U+FFFF, which no name contains. */
const KEPT_SLASH = "%EF%BF%BF";

function withoutQuery(target: string): string {
  const query = target.indexOf("?");
  return query === -1 ? target : target.slice(0, query);
}
