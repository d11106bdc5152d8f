import type { PlainRequest } from "../../core/plain-http.ts";

/** The origins whose pages may read answers. */
export interface CorsPolicy {
  readonly origins: ReadonlySet<string>;
  /** The origins whose requests may carry cookies. */
  readonly cookieOrigins: ReadonlySet<string>;
}

/** The answer to a preflight, or the headers of an answer. */
export interface CorsHeaders {
  /** Whether the request is a preflight from a listed origin. Its answer has no body. */
  readonly isPreflight: boolean;
  readonly headers: Readonly<Record<string, string>>;
}

/** The parts of a request that CORS depends on. A member is `null` when the request lacks the header. */
export interface CorsRequest {
  readonly method: string;
  readonly origin: string | null;
  /** `Access-Control-Request-Method`. */
  readonly requestMethod: string | null;
  /** `Access-Control-Request-Headers`. */
  readonly requestHeaders: string | null;
}

const METHODS = "GET, HEAD, POST, PATCH, DELETE";
const USUAL_HEADERS = "authorization, content-type, x-holdfast";
const EXPOSED_HEADERS = "Retry-After, WWW-Authenticate, Expires-In";
/** The longest list of headers that a preflight may ask for, in characters. */
const MAX_REQUEST_HEADERS = 4096;
const headerNames = /^[\w!#$%&'*+.^`|~, \t-]+$/;

/** Combines the origins of `corsOrigins` with those of `cookies`. */
export function createCorsPolicy(
  corsOrigins: readonly string[],
  cookieOrigins: Iterable<string> = [],
): CorsPolicy {
  const withCookies = new Set(cookieOrigins);
  return { origins: new Set([...corsOrigins, ...withCookies]), cookieOrigins: withCookies };
}

/**
 * Returns the CORS headers of an answer. A listed origin may send any header. Tracing libraries add headers of their
 * own to every request, and a preflight that refuses one of them looks like an outage to the page.
 */
export function corsHeaders(
  { origins, cookieOrigins }: CorsPolicy,
  { method, origin, requestMethod, requestHeaders }: CorsRequest,
): CorsHeaders {
  if (origins.size === 0) return { isPreflight: false, headers: {} };
  const vary = { Vary: "Origin" };
  if (origin === null || !origins.has(origin)) return { isPreflight: false, headers: vary };
  const allowed = {
    ...vary,
    "Access-Control-Allow-Origin": origin,
    "Access-Control-Expose-Headers": EXPOSED_HEADERS,
    ...(cookieOrigins.has(origin) && { "Access-Control-Allow-Credentials": "true" }),
  };
  if (method !== "OPTIONS" || requestMethod === null) return { isPreflight: false, headers: allowed };
  return {
    isPreflight: true,
    headers: {
      ...allowed,
      Vary: "Origin, Access-Control-Request-Headers",
      "Access-Control-Allow-Methods": METHODS,
      "Access-Control-Allow-Headers": isHeaderList(requestHeaders) ? requestHeaders : USUAL_HEADERS,
      "Access-Control-Max-Age": "600",
    },
  };
}

function isHeaderList(text: string | null): text is string {
  return text !== null && text.length <= MAX_REQUEST_HEADERS && headerNames.test(text);
}

export function corsRequestOf({ method, headers }: Pick<PlainRequest, "method" | "headers">): CorsRequest {
  return {
    method,
    origin: headers.get("Origin"),
    requestMethod: headers.get("Access-Control-Request-Method"),
    requestHeaders: headers.get("Access-Control-Request-Headers"),
  };
}

/** Answers preflights, and adds the CORS headers to every answer of `handle`. */
export function withCors<Args extends unknown[]>(
  policy: CorsPolicy,
  handle: (request: Request, ...args: Args) => Promise<Response>,
): (request: Request, ...args: Args) => Promise<Response> {
  return async (request, ...args) => {
    const { isPreflight, headers } = corsHeaders(policy, corsRequestOf(request));
    if (isPreflight) return new Response(null, { status: 204, headers });
    const response = await handle(request, ...args);
    for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
    return response;
  };
}
