import { invalidOption, readString, readWholeNumber, rejectUnknownOptions } from "../core/options.ts";
import { isScopeToken } from "../core/scopes.ts";
import type { Client } from "./types.ts";

const MIN_CLIENT_SECRET_CHARS = 16;

/** `client_id` of first-party sessions, and of the public client that refreshes them without a secret. */
export const FIRST_PARTY_CLIENT_ID = "holdfast";

/** The bounds of the lifetimes, in milliseconds: one second and ten years. */
export const lifetimeBounds: { readonly min: number; readonly max: number } = {
  min: 1000,
  max: 3650 * 86_400_000,
};

/** A checked entry of the option `clients`. */
export interface ClientConfig {
  readonly id: string;
  readonly secret: string;
  readonly scopes: readonly string[];
  /** `undefined` when the client has the lifetime of the issuer. */
  readonly accessTokenTtlMs: number | undefined;
  /** `undefined` when the client gets no refresh tokens. Each lifetime defaults to that of the issuer. */
  readonly refreshTokens: { readonly idleMs?: number; readonly absoluteMs?: number } | undefined;
}

/** Checks one client. Throws `invalid_option`, naming the member. */
export function readClient(name: string, value: unknown): ClientConfig {
  rejectUnknownOptions(name, value, ["id", "secret", "scopes", "accessTokenTtlMs", "refreshTokens"]);
  const client = value as Readonly<Record<keyof Client, unknown>>;
  const id = readString(`${name}.id`, client.id);
  // RFC 7617 §2: the user-id of HTTP Basic ends at the first colon.
  if (id.includes(":")) throw invalidOption(`${name}.id`, "a string without a colon", id);
  if (id === FIRST_PARTY_CLIENT_ID) {
    throw invalidOption(`${name}.id`, `another name than ${FIRST_PARTY_CLIENT_ID}`, id);
  }
  const secret = readString(`${name}.secret`, client.secret);
  if (secret.length < MIN_CLIENT_SECRET_CHARS) {
    throw invalidOption(`${name}.secret`, `at least ${MIN_CLIENT_SECRET_CHARS} characters`, secret);
  }
  const { scopes = [], accessTokenTtlMs, refreshTokens } = client;
  if (!Array.isArray(scopes) || !scopes.every(isScopeToken)) {
    throw invalidOption(`${name}.scopes`, "an array of scopes (RFC 6749 §3.3)", scopes);
  }
  return {
    id,
    secret,
    scopes: [...(scopes as string[])],
    accessTokenTtlMs: readLifetime(`${name}.accessTokenTtlMs`, accessTokenTtlMs),
    refreshTokens:
      refreshTokens === undefined ? undefined : readRefreshLifetimes(`${name}.refreshTokens`, refreshTokens),
  };
}

function readRefreshLifetimes(name: string, value: unknown): NonNullable<ClientConfig["refreshTokens"]> {
  rejectUnknownOptions(name, value, ["idleMs", "absoluteMs"]);
  const { idleMs, absoluteMs } = value as Readonly<Record<string, unknown>>;
  const idle = readLifetime(`${name}.idleMs`, idleMs);
  const absolute = readLifetime(`${name}.absoluteMs`, absoluteMs, idle);
  return {
    ...(idle !== undefined && { idleMs: idle }),
    ...(absolute !== undefined && { absoluteMs: absolute }),
  };
}

function readLifetime(name: string, value: unknown, min: number = lifetimeBounds.min): number | undefined {
  return value === undefined
    ? undefined
    : readWholeNumber(name, value, { ...lifetimeBounds, default: 0, min });
}
