import { HoldfastError } from "../../core/errors.ts";
import { invalidOption, rejectUnknownOptions, readString } from "../../core/options.ts";

/** How clients of a connection may send their token: one way a handshake (RFC 6750 §2). */
export interface TokenFrom {
  /** `Authorization: Bearer …`. Default true. */
  authorization?: boolean;
  /** `Sec-WebSocket-Protocol: base64url.bearer.authorization.k8s.io.…`, for browsers. Default true. */
  subprotocol?: boolean;
  /** The first message, after a handshake without a token. Default false. */
  firstMessage?: boolean;
  /** A cookie, for pages of these origins only: scheme, host and port, exactly. Default: none. */
  cookie?: { name: string; origins: readonly string[] };
  /** A parameter of the URL, which others on its way may log. Default: none. */
  query?: { name: string };
}

/** The option, checked, copied and complete. */
export interface TokenFromSettings {
  readonly authorization: boolean;
  readonly subprotocol: boolean;
  readonly firstMessage: boolean;
  readonly cookie: { readonly name: string; readonly origins: ReadonlySet<string> } | null;
  readonly query: string | null;
}

// RFC 6265 §4.1.1: the name of a cookie is a token.
const cookieName = /^[\w!#$%&'*+\-.^`|~]+$/;

/** Throws `invalid_option`, naming the option. */
export function tokenFromSettings(tokenFrom: TokenFrom = {}): TokenFromSettings {
  rejectUnknownOptions("tokenFrom", tokenFrom, [
    "authorization",
    "subprotocol",
    "firstMessage",
    "cookie",
    "query",
  ]);
  const { authorization = true, subprotocol = true, firstMessage = false, cookie, query } = tokenFrom;
  for (const [name, value] of Object.entries({ authorization, subprotocol, firstMessage })) {
    if (typeof value !== "boolean") throw invalidOption(`tokenFrom.${name}`, "true or false", value);
  }
  if (!authorization && !subprotocol && !firstMessage && cookie === undefined && query === undefined) {
    throw new HoldfastError("invalid_option", "tokenFrom must leave a way for a token to come");
  }
  if (query !== undefined) rejectUnknownOptions("tokenFrom.query", query, ["name"]);
  return {
    authorization,
    subprotocol,
    firstMessage,
    cookie: cookie === undefined ? null : cookieSettings(cookie),
    query: query === undefined ? null : readString("tokenFrom.query.name", query.name),
  };
}

function cookieSettings(cookie: NonNullable<TokenFrom["cookie"]>): TokenFromSettings["cookie"] {
  rejectUnknownOptions("tokenFrom.cookie", cookie, ["name", "origins"]);
  const { name, origins } = cookie;
  if (!cookieName.test(readString("tokenFrom.cookie.name", name))) {
    throw invalidOption("tokenFrom.cookie.name", "a name of a cookie", name);
  }
  if (!Array.isArray(origins) || origins.length === 0 || !origins.every(isOrigin)) {
    const mustBe = "an array of origins such as https://app.example.com, without wildcards";
    throw invalidOption("tokenFrom.cookie.origins", mustBe, origins);
  }
  return { name, origins: new Set(origins) };
}

/** Whether browsers write an origin like this (RFC 6454 §6.2). That `null`, which any sandbox sends, is no URL. */
function isOrigin(value: unknown): boolean {
  return typeof value === "string" && !value.includes("*") && URL.parse(value)?.origin === value;
}
