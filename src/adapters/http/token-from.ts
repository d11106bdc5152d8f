import { option, readOptions, readString, type OptionTable, invalidOption } from "../../core/options.ts";
import { cookieOptionTable, isHeaderName, type TokenPlaces } from "../../core/request-token.ts";
import type { ChallengeParameters } from "../../core/bearer.ts";
import { isScopeToken } from "../../core/scopes.ts";
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
  /** The content of the challenge of a refusal. Default: the realm `api`. */
  challenge?: ChallengeOptions;
}

/** How a refused client learns what the resource wants (RFC 6750 §3). */
export interface ChallengeOptions {
  /** The name of the protected space. Default `"api"`. */
  realm?: string;
  /** The URL of the metadata of the resource, where a client finds the authorization server (RFC 9728 §5.1). Default: none. */
  resourceMetadata?: string;
  /** The scopes that a client should request, also in the challenge to a request without a token. Default: none. */
  scopes?: readonly string[];
}

/** The rules of a route that requests without a token may use, too. */
export interface OptionalRules extends RequestRules {
  /**
   * A request without a token passes without a verdict, and the rules do not apply to it. A request with a token that is
   * not accepted is refused as on every route.
   */
  optional: true;
}

const challengeOptionTable: OptionTable<ChallengeParameters> = {
  realm: option((name, value) => quotable(name, value), "api"),
  resourceMetadata: option((name, value) => {
    if (value === undefined) return undefined;
    const url = URL.parse(readString(name, value));
    if (url !== null && /^https?:$/.test(url.protocol)) return quotable(name, value);
    throw invalidOption(name, "an http or https URL", value);
  }),
  scopes: option((name, value) => {
    if (value === undefined) return undefined;
    if (!Array.isArray(value) || value.length === 0 || !value.every(isScopeToken)) {
      throw invalidOption(name, "a list of at least one scope", value);
    }
    return [...(value as string[])];
  }),
};

/** A quoted string of a challenge is visible ASCII without quotation mark and backslash. Other characters would be lost. */
function quotable(name: string, value: unknown): string {
  const text = readString(name, value);
  if (/^[\x20\x21\x23-\x5b\x5d-\x7e]+$/.test(text)) return text;
  throw invalidOption(name, "visible ASCII characters without quotation mark and backslash", value);
}

/** Checks `challenge`. Throws `invalid_option`, with the name of the member. */
export function readChallenge(challenge: ChallengeOptions = {}, owner = "protect"): ChallengeParameters {
  return readOptions(`${owner}: challenge`, challenge, challengeOptionTable);
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
