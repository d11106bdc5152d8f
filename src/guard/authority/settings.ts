import { hash } from "node:crypto";
import { copyOptions } from "../../core/option-checks.ts";
import { flagOption, readChoice } from "../../core/option-values.ts";
import {
  functionOption,
  invalidOption,
  option,
  readOptions,
  wholeOption,
  type OptionTable,
} from "../../core/options.ts";
import { readAllowHttp, type AllowedHttp } from "../allow-http.ts";
import { platformFetch, requestHeaders, trustworthyUrl, type Fetch } from "../fetch-json.ts";
import {
  clientAuthenticationOptionTable,
  createClientAuthentication,
  type ClientAuthentication,
  type ClientAuthenticationOptions,
  type ClientAuthenticationValues,
} from "./client-authentication.ts";

/**
 * Options of `introspection()` and `tokenValidation()`. Names that end in `Ms` are milliseconds.
 *
 * @example
 * ```ts
 * import { introspection, type AuthorityOptions } from "holdfast";
 *
 * const options: AuthorityOptions = {
 *   url: "https://id.example.com/oauth/introspect",
 *   clientId: "orders-api",
 *   clientSecret: "the secret of orders-api",
 *   timeoutMs: 1_000,
 * };
 * export const authority = introspection(options);
 * ```
 */
export interface AuthorityOptions extends ClientAuthenticationOptions {
  /** An https URL, or an http URL of this machine. Redirects are not followed. */
  url: string;
  /**
   * Which opaque tokens are sent to the authority: those that the expression matches. `true` accepts bearer tokens
   * (RFC 6750 §2.1) of 16 to 1,024 characters that do not begin like a JWT. Default: no opaque tokens.
   */
  opaque?: boolean | RegExp;
  /**
   * `"opaque"` keeps JWTs from the authority: their verification alone decides. It needs `opaque`, and suits providers
   * that do not introspect their own JWTs. Default `"all"`.
   */
  ask?: QuestionScope;
  /**
   * Whether an answer about an opaque token may lack the audience. Set it only where the authority answers about tokens
   * for this API alone, because any other token of the issuer would pass too. Default false.
   */
  allowMissingAud?: boolean;
  /** Time limit of one question, including a retry and the last byte of the answer. At most 60,000. Default 2,000. */
  timeoutMs?: number;
  /** Longest answer, in bytes. Default 65,536. */
  maxBytes?: number;
  /**
   * Requests in flight at once. 1,000 more questions wait within `timeoutMs`; further ones are `overloaded`. Opaque tokens
   * that the guard does not know use three quarters of it, and a separate queue.
   * Default 64.
   */
  maxConcurrent?: number;
  /** How long the guard goes without an answer before it sends a background probe (± 20 %). Default 10,000. */
  probeMs?: number;
  /**
   * Returns a valid token for the probe to ask about, called before each probe. The authority must answer yes.
   * Default: the probe invents a token, and the authority must answer no.
   */
  probeToken?: () => string | Promise<string>;
  /**
   * Hosts to which plain HTTP is allowed, on a network that you trust: exact names, addresses, and networks such as
   * `10.0.0.0/8`. Default: this machine only.
   */
  allowHttp?: readonly string[];
  /** Headers of every request. Default: none. */
  headers?: Readonly<Record<string, string>>;
  /** Replaces the platform's `fetch`. Default: `globalThis.fetch`. */
  fetch?: Fetch;
}

/** The tokens that an authority is asked about. */
export const questionScopes = ["all", "opaque"] as const;
export type QuestionScope = (typeof questionScopes)[number];

type OwnOptions = Omit<AuthorityOptions, keyof ClientAuthenticationOptions>;

interface OwnSettings extends Readonly<Required<Omit<OwnOptions, "opaque" | "probeToken" | "allowHttp">>> {
  readonly allowHttp: AllowedHttp;
  readonly opaque: RegExp | null;
  readonly probeToken: OwnOptions["probeToken"];
}

/** The checked options, with defaults filled in. */
export interface AuthoritySettings extends OwnSettings {
  /** See `AuthoritySource`. A digest, because the options may hold credentials. */
  readonly identity: string;
  /** See `AuthoritySource`. */
  readonly optionsDigest: string;
  readonly authentication: ClientAuthentication;
}

export const authorityOptionTable: OptionTable<OwnSettings & ClientAuthenticationValues> = {
  url: option(trustworthyUrl),
  ...clientAuthenticationOptionTable,
  opaque: option(readOpaque),
  ask: option<QuestionScope>((name, value) => readChoice(name, questionScopes, value), "all"),
  allowMissingAud: flagOption(false),
  timeoutMs: wholeOption(2_000, 1, 60_000),
  maxBytes: wholeOption(65_536, 1),
  maxConcurrent: wholeOption(64, 1),
  probeMs: wholeOption(10_000, 1_000),
  probeToken: functionOption<OwnSettings["probeToken"]>(() => undefined),
  allowHttp: option(readAllowHttp),
  headers: option(requestHeaders),
  fetch: functionOption<Fetch>(() => platformFetch),
};

/** Throws `invalid_option`, naming `owner` and the option. */
export function readAuthorityOptions(owner: string, options: AuthorityOptions): AuthoritySettings {
  const given = copyOptions(owner, options);
  const url = option((name, value) =>
    trustworthyUrl(name, value, readAllowHttp(`${owner}: allowHttp`, given.allowHttp)),
  );
  const read = readOptions(owner, given, { ...authorityOptionTable, url });
  const { auth, clientId, clientSecret, privateKey, assertionAudience, bearerToken, ...settings } = read;
  if (settings.ask === "opaque" && settings.opaque === null) {
    throw invalidOption(`${owner}: opaque`, 'true or a RegExp with ask: "opaque"', given.opaque);
  }
  const authentication = createClientAuthentication(owner, {
    auth,
    clientId,
    clientSecret,
    privateKey,
    assertionAudience,
    bearerToken,
  });
  const fixedToken = typeof bearerToken === "string" ? bearerToken : null;
  const identityParts = [owner, given.url, auth, clientId, fixedToken, given.headers];
  const identity = hash("sha256", JSON.stringify(identityParts), "base64url");
  return { ...settings, identity, optionsDigest: digestOptions(given), authentication };
}

/** JSON leaves out functions, which `issuerFor` makes anew for each answer, and would make all expressions equal. */
function digestOptions(options: object): string {
  const sorted = Object.entries(options).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const text = JSON.stringify(sorted, (_, value: unknown) =>
    value instanceof RegExp ? String(value) : value,
  );
  return hash("sha256", text, "base64url");
}

/** Matches a bearer token (RFC 6750 §2.1) that does not begin like a JWT: `{`, then a space or a quotation mark, up to a dot. */
export function bearerTokens(maxLength: number): RegExp {
  return new RegExp(`^(?!e[wy][\\w-]*\\.)(?=.{16,${maxLength}}$)[\\w\\-.~+/]+=*$`);
}

function readOpaque(name: string, opaque: unknown): RegExp | null {
  if (opaque === undefined || opaque === null || opaque === false) return null;
  if (opaque === true) return bearerTokens(1024);
  // With the flags g and y an expression keeps its position between calls, and fails every other time.
  if (opaque instanceof RegExp && !opaque.global && !opaque.sticky) return opaque;
  throw invalidOption(name, "true, false or a RegExp without the flags g and y", opaque);
}
