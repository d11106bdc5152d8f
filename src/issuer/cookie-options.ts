import { HoldfastError } from "../core/errors.ts";
import { invalidOption, option, readOptions, type OptionTable } from "../core/options.ts";
import { readOrigins } from "../core/request-token.ts";

/** The option `cookies`, checked and copied. */
export interface CookieModeConfig {
  readonly origins: ReadonlySet<string>;
  readonly sameSite: "strict" | "lax";
}

/** The members of `cookies`. */
const cookieModeOptionTable: OptionTable<CookieModeConfig> = {
  origins: option(readOrigins),
  // With `none`, requests of other sites would carry the cookies, and those are refused in any case.
  sameSite: option((name, value) => {
    if (value === "strict" || value === "lax") return value;
    throw invalidOption(name, '"strict" or "lax"', value);
  }, "strict"),
};

/** Reads the option `cookies`. `null` when it is left out. */
export function readCookieOptions(name: string, value: unknown): CookieModeConfig | null {
  return value === undefined ? null : readOptions(name, value, cookieModeOptionTable);
}

/** Whether browsers keep a `Secure` cookie of this URL: with https, and of this machine. */
export function canKeepCookies(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === "https:" || /^(?:(?:.+\.)?localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname);
}

/** Throws `invalid_option` when cookies are on, and browsers would not keep them. */
export function requireUrlForCookies({ url, cookies }: { url: string; cookies: object | null }): void {
  if (cookies === null || canKeepCookies(url)) return;
  throw new HoldfastError("invalid_option", "createIssuer: cookies needs a url with https, or of localhost");
}
