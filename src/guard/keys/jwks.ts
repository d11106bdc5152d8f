import { invalidOption, rejectUnknownOptions, readWholeNumber } from "../../core/options.ts";
import { requestHeaders, trustworthyUrl, type Fetch } from "../fetch-json.ts";
import type { JwksSettings } from "./fetch-key-set.ts";
import { JwksKeyring } from "./jwks-keyring.ts";
import { fixedLocation } from "./key-location.ts";
import type { KeyContext, KeySource } from "./key-source.ts";

export interface JwksOptions {
  /** By default the platform's. An issuer in the same process: `(url, init) => issuer.fetch(new Request(url, init))`. */
  fetch?: Fetch;
  /**
   * How long a set is served without asking again; afterwards it is served while a new one is fetched. By default what
   * its `Cache-Control` says, at least 5 minutes; 2 h where it says nothing. Never more than half of `maxStaleMs`.
   */
  freshMs?: number;
  /** How long the last good set is served when no other can be fetched. Default 86,400,000 (24 h). */
  maxStaleMs?: number;
  /** How long a key that left the set serves what it proved before; 0 for not at all. Default 3,600,000 (1 h). */
  vanishedMs?: number;
  /** Time between attempts, whatever asks for them. Default 30,000. */
  coolDownMs?: number;
  /** For one attempt, its body included. Default 5,000. */
  timeoutMs?: number;
  /** Of the set as JSON. Default 262,144. */
  maxBytes?: number;
  /** Sent with each request. */
  headers?: Readonly<Record<string, string>>;
}

/** Every option there is; the compiler keeps it complete. */
const known = Object.keys({
  fetch: 0,
  freshMs: 0,
  maxStaleMs: 0,
  vanishedMs: 0,
  coolDownMs: 0,
  timeoutMs: 0,
  maxBytes: 0,
  headers: 0,
} satisfies Record<keyof JwksOptions, 0>);

/** A provider's JWK Set (RFC 7517 §5) at an https URL, or http on this machine. Throws `invalid_option`. */
export function jwks(url: string, options: JwksOptions = {}): KeySource {
  const open = prepareJwksKeyring(url, options);
  return { kind: "jwks", open: (context) => open(context).startRefreshing() };
}

/** Throws `invalid_option`. */
export function prepareJwksKeyring(url: string, options: JwksOptions): (context: KeyContext) => JwksKeyring {
  const location = fixedLocation(trustworthyUrl("jwks: url", url));
  const settings = readJwksOptions("jwks", options);
  return (context) => new JwksKeyring(location, settings, context);
}

/** Throws `invalid_option`. */
export function readJwksOptions(owner: string, options: JwksOptions): JwksSettings {
  rejectUnknownOptions(owner, options, known);
  const { fetch = globalThis.fetch, freshMs } = options;
  if (typeof fetch !== "function") throw invalidOption(`${owner}: fetch`, "a function", fetch);
  type Numeric = "maxStaleMs" | "vanishedMs" | "coolDownMs" | "timeoutMs" | "maxBytes";
  const whole = (name: Numeric, preset: number, min: number, max?: number) =>
    readWholeNumber(`${owner}: ${name}`, options[name], { default: preset, min, ...(max && { max }) });
  return {
    fetch,
    headers: requestHeaders(owner, options.headers),
    freshMs:
      freshMs === undefined
        ? null
        : readWholeNumber(`${owner}: freshMs`, freshMs, { default: 0, min: 1_000 }),
    maxStaleMs: whole("maxStaleMs", 86_400_000, 1_000),
    vanishedMs: whole("vanishedMs", 3_600_000, 0),
    coolDownMs: whole("coolDownMs", 30_000, 1_000),
    timeoutMs: whole("timeoutMs", 5_000, 1, 60_000),
    maxBytes: whole("maxBytes", 262_144, 1),
  };
}
