import { invalidOption, onlyKnown, wholeNumber } from "../../core/options.ts";
import { trustworthyUrl, type Fetch } from "../fetch-json.ts";
import { JwksKeyring, type JwksSettings } from "./jwks-keyring.ts";
import type { KeySource } from "./key-source.ts";

export interface JwksOptions {
  /** By default the platform's. An issuer in the same process: `(url, init) => issuer.fetch(new Request(url, init))`. */
  fetch?: Fetch;
  /** How long a set is served without asking again; afterwards it is served while a new one is fetched. Default 2 h. */
  freshMs?: number;
  /** Time between attempts, whatever asks for them. Default 30,000. */
  coolDownMs?: number;
  /** For one attempt, its body included. Default 5,000. */
  timeoutMs?: number;
  /** Of the set as JSON. Default 262,144. */
  maxBytes?: number;
  /** Sent with each request. */
  headers?: Readonly<Record<string, string>>;
}

/** A provider's JWK Set (RFC 7517 §5) at an https URL, or http on this machine. Throws `invalid_option`. */
export function jwks(url: string, options: JwksOptions = {}): KeySource {
  const settings = jwksSettings(url, options);
  return { kind: "jwks", open: (context) => new JwksKeyring(settings, context) };
}

/** Throws `invalid_option`. */
export function jwksSettings(url: string, options: JwksOptions): JwksSettings {
  onlyKnown("jwks", options, ["fetch", "freshMs", "coolDownMs", "timeoutMs", "maxBytes", "headers"]);
  const { fetch = globalThis.fetch, freshMs, coolDownMs, timeoutMs, maxBytes } = options;
  if (typeof fetch !== "function") throw invalidOption("jwks: fetch", "a function", fetch);
  return {
    url: trustworthyUrl("jwks: url", url),
    fetch,
    headers: { ...options.headers },
    freshMs: wholeNumber("jwks: freshMs", freshMs, { default: 7_200_000, min: 1_000 }),
    coolDownMs: wholeNumber("jwks: coolDownMs", coolDownMs, { default: 30_000, min: 1_000 }),
    timeoutMs: wholeNumber("jwks: timeoutMs", timeoutMs, { default: 5_000, min: 1, max: 60_000 }),
    maxBytes: wholeNumber("jwks: maxBytes", maxBytes, { default: 262_144, min: 1 }),
  };
}
