import { option, readOptions, readString, type OptionTable, invalidOption } from "../../core/options.ts";
import { cookieOptionTable, isHeaderName, type TokenPlaces } from "../../core/request-token.ts";
import type { Rules } from "../../core/rules.ts";

/** Where a request may have its token. */
export interface RequestTokenFrom {
  /** The header with the token. Default: `Authorization`. */
  header?: string;
  /** The authentication scheme in front of the token. The scheme `""` means that the header has the token alone. Default: `Bearer`. */
  scheme?: string;
  /**
   * A cookie, for requests without that header. A request that may change something needs an `Origin` of the list and
   * `X-Holdfast: 1`. Default: no cookie.
   */
  cookie?: { name: string; origins: readonly string[] };
}

/** The rules of a route, and where its requests may have their token. */
export interface RequestRules extends Rules {
  /** Default: `Authorization: Bearer …`. */
  tokenFrom?: RequestTokenFrom;
}

/** The members of `tokenFrom`. */
const requestTokenFromOptionTable: OptionTable<TokenPlaces> = {
  header: option((name, value) => {
    if (!isHeaderName(readString(name, value))) throw invalidOption(name, "the name of a header", value);
    return (value as string).toLowerCase();
  }, "authorization"),
  scheme: option((name, value) => {
    if (value === "" || (typeof value === "string" && isHeaderName(value))) return value;
    throw invalidOption(name, 'an authentication scheme, or ""', value);
  }, "Bearer"),
  cookie: option((name, value) =>
    value === undefined ? null : readOptions(name.replace(": cookie", ".cookie"), value, cookieOptionTable),
  ),
};

/** Checks `tokenFrom`. Throws `invalid_option`, with the name of the member. */
export function readRequestTokenFrom(tokenFrom: RequestTokenFrom = {}, owner = "protect"): TokenPlaces {
  return readOptions(`${owner}: tokenFrom`, tokenFrom, requestTokenFromOptionTable);
}
