import { HoldfastError } from "../core/errors.ts";
import { invalidOption, onlyKnown, text, wholeNumber } from "../core/options.ts";
import { isScope } from "./scopes.ts";
import type { Client, IssuerOptions } from "./types.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const MIN_CLIENT_SECRET_CHARS = 16;

/** `client_id` of sessions that began with a login, and of whoever refreshes them without a secret. */
export const FIRST_PARTY = "holdfast";

/** The options, checked and copied; without the parts that are injected, and the secret. */
export type Config = Readonly<
  Required<Omit<IssuerOptions, "store" | "secret" | "clock" | "random" | "authenticate" | "clients">>
> & {
  readonly authenticate: IssuerOptions["authenticate"] | undefined;
  readonly clients: readonly Required<Client>[];
};

const algorithms = ["ES256", "ES384", "EdDSA", "RS256", "PS256"] as const;

export function checkOptions(options: IssuerOptions): Config {
  const config = checked(options ?? {});
  // After the known ones, whose names are then at hand: a misspelt option would be a silent default.
  onlyKnown("createIssuer", options, [...Object.keys(config), "store", "secret", "clock", "random"]);
  return config;
}

function checked(options: IssuerOptions): Config {
  const { algorithm = "ES256", authenticate } = options;
  if (!algorithms.includes(algorithm)) throw invalidOption("algorithm", algorithms.join(", "), algorithm);
  if (authenticate !== undefined && typeof authenticate !== "function") {
    throw invalidOption("authenticate", "a function", authenticate);
  }
  const number = (name: keyof IssuerOptions, standard: number, min: number) =>
    wholeNumber(name, options[name], { default: standard, min, max: 3650 * DAY_MS });
  const accessTokenTtlMs = number("accessTokenTtlMs", 10 * MINUTE_MS, 1000);
  const refreshIdleMs = number("refreshIdleMs", 30 * DAY_MS, accessTokenTtlMs);
  return {
    name: text("name", options.name ?? "issuer"),
    url: issuerUrl(options.url),
    audience: text("audience", options.audience),
    algorithm,
    authenticate,
    clients: list("clients", options.clients).map((one, i) => checkedClient(`clients[${i}]`, one)),
    corsOrigins: list("corsOrigins", options.corsOrigins).map((one, i) => origin(`corsOrigins[${i}]`, one)),
    accessTokenTtlMs,
    refreshIdleMs,
    refreshAbsoluteMs: number("refreshAbsoluteMs", 90 * DAY_MS, refreshIdleMs),
    graceMs: number("graceMs", 30_000, 0),
    keyRotationMs: number("keyRotationMs", 30 * DAY_MS, accessTokenTtlMs),
  };
}

function list<T>(name: string, value: readonly T[] | undefined): readonly T[] {
  if (value !== undefined && !Array.isArray(value)) throw invalidOption(name, "an array", value);
  return value ?? [];
}

/** RFC 8414 §2: the identifier has no query and no fragment. */
function issuerUrl(value: unknown): string {
  const url = text("url", value);
  const parsed = URL.parse(url);
  if (parsed === null || !/^https?:$/.test(parsed.protocol) || /[?#]/.test(url) || parsed.username !== "") {
    throw invalidOption("url", "an http(s) URL without credentials, query or fragment", value);
  }
  return url;
}

function checkedClient(name: string, client: Client): Required<Client> {
  onlyKnown(name, client, ["id", "secret", "scopes"]);
  const id = text(`${name}.id`, client.id);
  // RFC 7617 §2: a colon would end the user-id.
  if (id.includes(":")) throw invalidOption(`${name}.id`, "a string without a colon", id);
  if (id === FIRST_PARTY) throw invalidOption(`${name}.id`, `another name than ${FIRST_PARTY}`, id);
  const secret = text(`${name}.secret`, client.secret);
  if (secret.length < MIN_CLIENT_SECRET_CHARS) {
    throw invalidOption(`${name}.secret`, `at least ${MIN_CLIENT_SECRET_CHARS} characters`, secret);
  }
  const scopes = list(`${name}.scopes`, client.scopes);
  if (!scopes.every(isScope)) {
    throw invalidOption(`${name}.scopes`, "an array of scopes (RFC 6749 §3.3)", scopes);
  }
  return { id, secret, scopes: [...scopes] };
}

/** RFC 6454 §6.2: a wildcard or a path would never match what a browser sends. */
function origin(name: string, value: unknown): string {
  const given = text(name, value);
  if (URL.parse(given)?.origin === given) return given;
  throw new HoldfastError(
    "invalid_option",
    `${name} must be an exact origin such as https://app.example.com`,
  );
}
