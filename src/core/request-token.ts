import { readBearer, type PresentedToken } from "./bearer.ts";
import { invalidOption, option, readString, type OptionTable } from "./options.ts";
import { isExactOrigin } from "./origin.ts";

/** The parts of a request that tell where its token is. */
export interface RequestView {
  /** In capitals. */
  readonly method: string;
  /** Returns the value of each line of a header, named in lower case. */
  readonly lines: (name: string) => readonly string[];
}

/** A cookie that holds a token, and the origins of the pages whose requests may use it. */
export interface CookieSettings {
  readonly name: string;
  readonly origins: ReadonlySet<string>;
}

/** Where a request may have its token. */
export interface TokenPlaces {
  /** The name of the header, in lower case. */
  readonly header: string;
  /** The authentication scheme in front of the token. `""` when the header has the token alone. */
  readonly scheme: string;
  /** `null` when no cookie counts. */
  readonly cookie: CookieSettings | null;
}

/** The token of a request. The status is `foreign` for a cookie that a page of another origin may have sent: 403. */
export type ExtractedToken = PresentedToken | { readonly status: "foreign" };

const none: PresentedToken = { status: "none" };
const malformed: PresentedToken = { status: "malformed" };

/** A token of HTTP (RFC 9110 §5.6.2), such as the name of a header or of a cookie (RFC 6265 §4.1.1). */
const httpToken = /^[\w!#$%&'*+\-.^`|~]+$/;
/** The syntax of a token in a header (RFC 9110 §11.2). */
const token68 = /^[\w\-.~+/]+=*$/;
/** The characters of a cookie value (RFC 6265 §4.1.1). A token has no others, and a value in quotes is not one. */
const cookieValue = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+$/;
/** The most characters of all `Cookie` lines. Node reads 16 KiB of headers unless it is told otherwise. */
const MAX_COOKIE_CHARS = 32_768;
/** Methods that change nothing (RFC 9110 §9.2.1). */
const safeMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

/** The values of `Sec-Fetch-Site` for a page of the same site. Older browsers and other clients send none. */
const nearSites: ReadonlySet<string> = new Set(["", "same-origin", "same-site", "none"]);

/** The header that a page sends with an unsafe request. A form cannot send it, and other origins need a preflight. */
export const CSRF_HEADER = "x-holdfast";

/** The members of an option that names a cookie. */
export const cookieOptionTable: OptionTable<CookieSettings> = {
  name: option((name, value) => {
    if (!httpToken.test(readString(name, value))) throw invalidOption(name, "the name of a cookie", value);
    return value as string;
  }),
  origins: option(readOrigins),
};

/** Whether the text can be the name of a header or of an authentication scheme. */
export function isHeaderName(text: string): boolean {
  return httpToken.test(text);
}

/** Reads a list of exact origins, with at least one. Throws `invalid_option`. */
export function readOrigins(name: string, value: unknown): ReadonlySet<string> {
  if (!Array.isArray(value) || value.length === 0 || !value.every(isExactOrigin)) {
    throw invalidOption(
      name,
      "an array of origins such as https://app.example.com, without wildcards",
      value,
    );
  }
  return new Set(value);
}

/**
 * Reads the token in a cookie, in one pass over the `Cookie` lines. Two cookies of the name are malformed. A page of
 * another subdomain can add a second one, and the recipient must not guess which of them counts.
 */
export function readCookie(lines: readonly string[], name: string): PresentedToken {
  let size = 0;
  let found: string | undefined;
  for (const line of lines) {
    size += line.length;
    if (size > MAX_COOKIE_CHARS) return malformed;
    for (const pair of line.split(";")) {
      const equals = pair.indexOf("=");
      if (equals === -1 || pair.slice(0, equals).trim() !== name) continue;
      if (found !== undefined) return malformed;
      found = pair.slice(equals + 1).trim();
    }
  }
  if (found === undefined) return none;
  return cookieValue.test(found) ? { status: "token", token: found } : malformed;
}

/**
 * Whether another origin may have caused a request with cookies. An unsafe request needs a listed `Origin` and
 * `X-Holdfast: 1`. A safe one may lack both, because a page of another origin cannot read its answer. A navigation from
 * another site is a link that the user followed.
 */
export function isForeignRequest({ method, lines }: RequestView, origins: ReadonlySet<string>): boolean {
  const isSafe = safeMethods.has(method);
  const site = lines("sec-fetch-site").join();
  const isLink = isSafe && site === "cross-site" && isTopLevelNavigation(lines);
  if (!nearSites.has(site) && !isLink) return true;
  const [origin, ...moreOrigins] = lines("origin");
  if (moreOrigins.length > 0 || (origin !== undefined && !origins.has(origin))) return true;
  return !isSafe && (origin === undefined || lines(CSRF_HEADER).join() !== "1");
}

function isTopLevelNavigation(lines: RequestView["lines"]): boolean {
  return lines("sec-fetch-mode").join() === "navigate" && lines("sec-fetch-dest").join() === "document";
}

/** Reads the token after a scheme, from the values of one header. */
function readHeader(lines: readonly string[], scheme: string): PresentedToken {
  if (scheme.toLowerCase() === "bearer") return readBearer(lines);
  const [value, ...others] = lines;
  if (value === undefined) return none;
  if (others.length > 0) return malformed;
  const [first] = /^[^\s,]*/.exec(scheme === "" ? "" : value) ?? [""];
  if (first.toLowerCase() !== scheme.toLowerCase()) return none;
  const token = value.slice(first.length).replace(/^ +| +$/g, "");
  return token68.test(token) ? { status: "token", token } : malformed;
}

/**
 * Reads the token of a request from its header, or from the cookie when the header is missing. Two different tokens
 * in one request are malformed (RFC 6750 §2). A page of another origin cannot send the header, so its sender is not
 * checked.
 */
export function extractRequestToken(
  request: RequestView,
  { header, scheme, cookie }: TokenPlaces,
): ExtractedToken {
  const explicit = readHeader(request.lines(header), scheme);
  if (cookie === null || explicit.status === "malformed") return explicit;
  const carried = readCookie(request.lines("cookie"), cookie.name);
  if (explicit.status === "token") {
    const isSame = carried.status === "token" && carried.token === explicit.token;
    return carried.status === "none" || isSame ? explicit : malformed;
  }
  if (carried.status === "none") return none;
  return isForeignRequest(request, cookie.origins) ? { status: "foreign" } : carried;
}
