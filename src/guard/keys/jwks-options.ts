import { functionOption, option, readOptions, wholeOption, type OptionTable } from "../../core/options.ts";
import { readAllowHttp, type AllowedHttp } from "../allow-http.ts";
import { isRequestScoped } from "../request-scope/runtime.ts";
import { shareResponses } from "../request-scope/shared-responses.ts";
import { platformFetch, requestHeaders, type Fetch } from "../fetch-json.ts";

/**
 * Options of `jwks()` and `discovered()`. Names that end in `Ms` are milliseconds.
 *
 * @example
 * ```ts
 * import { jwks, type JwksOptions } from "holdfast";
 *
 * const options: JwksOptions = { maxStaleMs: 12 * 3_600_000, timeoutMs: 2_000 };
 * export const keys = jwks("https://id.example.com/.well-known/jwks.json", options);
 * ```
 */
export interface JwksOptions {
  /**
   * Replaces the platform's `fetch`. An issuer in the same process is reached with
   * `(url, init) => issuer.fetch(new Request(url, init))`. Default: `globalThis.fetch`.
   */
  fetch?: Fetch;
  /**
   * How long a key set is used before another is fetched, at most half of `maxStaleMs`. The old set stays in use during
   * that fetch. Default: the response's `Cache-Control`, at least 5 minutes; 2 hours when the header gives no age.
   */
  freshMs?: number;
  /** How long the last good key set stays in use when no other can be fetched. Default 86,400,000 (24 h). */
  maxStaleMs?: number;
  /**
   * How long tokens stay valid after the key that verified them left the set. 0 for not at all. The key verifies no
   * further tokens. Default 3,600,000 (1 h).
   */
  vanishedMs?: number;
  /** Least time between two fetches, whatever requests them. Default 30,000. */
  coolDownMs?: number;
  /** Time limit of one fetch, including the last byte of the body. At most 60,000. Default 5,000. */
  timeoutMs?: number;
  /** Longest response body, in bytes. Default 262,144. */
  maxBytes?: number;
  /**
   * Hosts to which plain HTTP is allowed, on a network that you trust: exact names, addresses, and networks such as
   * `10.0.0.0/8`. Default: this machine only.
   */
  allowHttp?: readonly string[];
  /** Headers of every request. Default: none. */
  headers?: Readonly<Record<string, string>>;
}

/** The checked options, with defaults filled in. */
export interface JwksSettings extends Readonly<Required<Omit<JwksOptions, "freshMs" | "allowHttp">>> {
  readonly allowHttp: AllowedHttp;
  /** `null` when the response's `Cache-Control` decides. */
  readonly freshMs: number | null;
}

export const jwksOptionTable: OptionTable<JwksSettings> = {
  fetch: functionOption<Fetch>(() => platformFetch),
  // The default 0 of the reader is never used: without the option, `Cache-Control` decides.
  freshMs: option<number | null>(wholeOption(0, 1_000).read, null),
  maxStaleMs: wholeOption(86_400_000, 1_000),
  vanishedMs: wholeOption(3_600_000, 0),
  coolDownMs: wholeOption(30_000, 1_000),
  timeoutMs: wholeOption(5_000, 1, 60_000),
  maxBytes: wholeOption(262_144, 1),
  allowHttp: option(readAllowHttp),
  headers: option(requestHeaders),
};

/** Two sources with the same value are one source. */
export function identifyOptions(options: JwksOptions): readonly unknown[] {
  const { fetch, ...plain } = options;
  return [fetch, JSON.stringify(plain)];
}

/** Throws `invalid_option`, naming `owner` and the option. */
export function readJwksOptions(owner: string, options: JwksOptions): JwksSettings {
  const settings = readOptions(owner, options, jwksOptionTable);
  return isRequestScoped() ? { ...settings, fetch: shareResponses(settings.fetch, settings) } : settings;
}
