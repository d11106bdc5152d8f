import { hash } from "node:crypto";
import { invalidOption, rejectUnknownOptions, readWholeNumber } from "../../core/options.ts";
import { requestHeaders, trustworthyUrl, type Fetch } from "../fetch-json.ts";
import {
  createClientAuthentication,
  type ClientAuthentication,
  type ClientAuthenticationOptions,
} from "./client-authentication.ts";

/** Whom to ask, and how. */
export interface AuthorityOptions extends ClientAuthenticationOptions {
  /** An https URL, or http on this machine. */
  url: string;
  /**
   * Which tokens are asked about although they prove nothing by themselves: those that the expression fits; with `true`
   * 16 to 1,024 characters of a bearer token (RFC 6750 §2.1) that do not begin like a JWT. Default: none.
   */
  opaque?: boolean | RegExp;
  /** For one question, its retry and the last byte of the answer included. Default 2,000. */
  timeoutMs?: number;
  /** Of the answer. Default 65,536. */
  maxBytes?: number;
  /** Questions under way at once. 1,000 more wait their turn within `timeoutMs`; beyond, the cause is `overloaded`. Default 64. */
  maxConcurrent?: number;
  /** The background probe asks when nobody else had an answer for so long (± 20 %). Default 10,000. */
  probeMs?: number;
  /**
   * A token that the probe asks about and that has to be good, asked for each time. Default: a made-up one, which the
   * authority has to call no good.
   */
  probeToken?: () => string | Promise<string>;
  /** Sent with each request. */
  headers?: Readonly<Record<string, string>>;
  /** By default the platform's. */
  fetch?: Fetch;
}

/** The options, checked, copied and complete. */
export interface AuthoritySettings {
  /** See `AuthoritySource`; a digest, because credentials may be in it. */
  readonly identity: string;
  readonly url: string;
  readonly opaque: RegExp | null;
  readonly authentication: ClientAuthentication;
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly maxConcurrent: number;
  readonly probeMs: number;
  readonly probeToken: (() => string | Promise<string>) | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly fetch: Fetch;
}

/** A bearer token (RFC 6750 §2.1). A JWT begins with `{` and a space or a quotation mark, up to its first dot. */
const bearerSyntax = /^(?!e[wy][\w-]*\.)(?=.{16,1024}$)[\w\-.~+/]+=*$/;

/** Every option there is; the compiler keeps it complete. */
const known = Object.keys({
  url: 0,
  auth: 0,
  clientId: 0,
  clientSecret: 0,
  bearerToken: 0,
  opaque: 0,
  timeoutMs: 0,
  maxBytes: 0,
  maxConcurrent: 0,
  probeMs: 0,
  probeToken: 0,
  headers: 0,
  fetch: 0,
} satisfies Record<keyof AuthorityOptions, 0>);

/** Throws `invalid_option`, naming `owner` and the option. */
export function readAuthorityOptions(owner: string, options: AuthorityOptions): AuthoritySettings {
  rejectUnknownOptions(owner, options, known);
  const { url, probeToken, fetch = globalThis.fetch } = options;
  if (typeof fetch !== "function") throw invalidOption(`${owner}: fetch`, "a function", fetch);
  if (probeToken !== undefined && typeof probeToken !== "function") {
    throw invalidOption(`${owner}: probeToken`, "a function", probeToken);
  }
  const whole = (
    option: "timeoutMs" | "maxBytes" | "maxConcurrent" | "probeMs",
    bounds: { default: number; min: number; max?: number },
  ) => readWholeNumber(`${owner}: ${option}`, options[option], bounds);
  const { auth, clientId, bearerToken, headers } = options;
  const identityParts = [
    owner,
    url,
    auth,
    clientId,
    typeof bearerToken === "string" ? bearerToken : null,
    headers,
  ];
  return {
    identity: hash("sha256", JSON.stringify(identityParts), "base64url"),
    url: trustworthyUrl(`${owner}: url`, url),
    opaque: readOpaque(owner, options.opaque),
    authentication: createClientAuthentication(owner, options),
    timeoutMs: whole("timeoutMs", { default: 2_000, min: 1, max: 60_000 }),
    maxBytes: whole("maxBytes", { default: 65_536, min: 1 }),
    maxConcurrent: whole("maxConcurrent", { default: 64, min: 1 }),
    probeMs: whole("probeMs", { default: 10_000, min: 1_000 }),
    probeToken,
    headers: requestHeaders(owner, options.headers),
    fetch,
  };
}

function readOpaque(owner: string, opaque: unknown): RegExp | null {
  if (opaque === undefined || opaque === null || opaque === false) return null;
  if (opaque === true) return bearerSyntax;
  // An expression with one of these flags remembers where it was, and fits every other time.
  if (opaque instanceof RegExp && !opaque.global && !opaque.sticky) return opaque;
  throw invalidOption(`${owner}: opaque`, "true, false or a RegExp without the flags g and y", opaque);
}
