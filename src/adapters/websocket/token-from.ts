import { HoldfastError } from "../../core/errors.ts";
import { cookieOptionTable, type CookieSettings } from "../../core/request-token.ts";
import { invalidOption, option, readOptions, readString, type OptionTable } from "../../core/options.ts";
import { flagOption, invalidValue } from "../../core/option-values.ts";

/** Reads a token from a text message of at most 64 KiB. An error counts as `null`. */
export type MessageReader = (text: string) => string | null;

/** The ways in which a client of a connection may send its token. A handshake uses exactly one (RFC 6750 §2). */
export interface TokenFrom {
  /** The header `Authorization: Bearer …`. Default true. */
  authorization?: boolean;
  /** The subprotocol `base64url.bearer.authorization.k8s.io.…`, for browsers. Default true. */
  subprotocol?: boolean;
  /**
   * The first message, after a handshake without a token. A function returns the token in a message of your own protocol,
   * or `null`; the application gets that message too, once the token is accepted. Default false.
   */
  firstMessage?: boolean | MessageReader;
  /**
   * Returns the token in a later message of your own protocol, or `null`. The token replaces the current one, and the
   * application gets the message too. Default: none.
   */
  laterMessages?: MessageReader;
  /**
   * A cookie, from pages of these origins only. An origin has a scheme, a host and a port that is not the default one.
   * Default: no cookie.
   */
  cookie?: { name: string; origins: readonly string[] };
  /** A parameter of the URL. Proxies and other servers may log it. Default: no parameter. */
  query?: { name: string };
}

/** The option `tokenFrom`, checked, copied and complete. */
export interface TokenFromSettings {
  readonly authorization: boolean;
  readonly subprotocol: boolean;
  readonly firstMessage: boolean | MessageReader;
  /** `null` when later messages of the application hold no token. */
  readonly laterMessages: MessageReader | null;
  readonly cookie: CookieSettings | null;
  readonly query: { readonly name: string } | null;
}

/** The members of `tokenFrom.query`. */
const queryOptionTable: OptionTable<{ readonly name: string }> = { name: option(readString) };

/** The members of `tokenFrom`, with their defaults. */
export const tokenFromOptionTable: OptionTable<TokenFromSettings> = {
  authorization: flagOption(true),
  subprotocol: flagOption(true),
  firstMessage: option((name, value): boolean | MessageReader => {
    if (typeof value === "boolean" || typeof value === "function") return value as boolean | MessageReader;
    throw invalidValue(name, "true, false or a function", value);
  }, false),
  laterMessages: option((name, value) => {
    if (value === undefined) return null;
    if (typeof value !== "function") throw invalidOption(name, "a function", value);
    return value as MessageReader;
  }),
  cookie: option((_, value) =>
    value === undefined ? null : readOptions("tokenFrom.cookie", value, cookieOptionTable),
  ),
  query: option((_, value) =>
    value === undefined ? null : readOptions("tokenFrom.query", value, queryOptionTable),
  ),
};

/** Checks `tokenFrom`. Throws `invalid_option`, with the name of the member. */
export function readTokenFrom(tokenFrom: TokenFrom = {}): TokenFromSettings {
  const settings = readOptions("tokenFrom", tokenFrom, tokenFromOptionTable);
  const { authorization, subprotocol, firstMessage, cookie, query } = settings;
  if (!authorization && !subprotocol && firstMessage === false && cookie === null && query === null) {
    throw new HoldfastError("invalid_option", "tokenFrom must allow at least one way to send a token");
  }
  return settings;
}
