import { HoldfastError } from "../core/errors.ts";
import { invalidOption, rejectUnknownOptions, readString, readWholeNumber } from "../core/options.ts";
import { isScopeToken } from "../core/scopes.ts";
import type { Client, IssuerOptions } from "./types.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const MIN_CLIENT_SECRET_CHARS = 16;

/** `client_id` of sessions that began with a login, and of whoever refreshes them without a secret. */
export const FIRST_PARTY_CLIENT_ID = "holdfast";

/** The options, checked and copied; without the parts that are injected, and the secret. */
export type IssuerConfig = Readonly<
  Required<Omit<IssuerOptions, "store" | "secret" | "clock" | "random" | "authenticate" | "clients">>
> & {
  readonly authenticate: IssuerOptions["authenticate"] | undefined;
  readonly clients: readonly Required<Client>[];
};

const signingAlgorithms = ["ES256", "ES384", "EdDSA", "RS256", "PS256"] as const;

export function checkIssuerOptions(options: IssuerOptions): IssuerConfig {
  const config = readConfig(options ?? {});
  // After the known ones, whose names are then at hand: a misspelt option would be a silent default.
  rejectUnknownOptions("createIssuer", options, [
    ...Object.keys(config),
    "store",
    "secret",
    "clock",
    "random",
  ]);
  return config;
}

function readConfig(options: IssuerOptions): IssuerConfig {
  const { algorithm = "ES256", authenticate } = options;
  if (!signingAlgorithms.includes(algorithm))
    throw invalidOption("algorithm", signingAlgorithms.join(", "), algorithm);
  if (authenticate !== undefined && typeof authenticate !== "function") {
    throw invalidOption("authenticate", "a function", authenticate);
  }
  const number = (name: keyof IssuerOptions, defaultValue: number, min: number) =>
    readWholeNumber(name, options[name], { default: defaultValue, min, max: 3650 * DAY_MS });
  const accessTokenTtlMs = number("accessTokenTtlMs", 10 * MINUTE_MS, 1000);
  const refreshIdleMs = number("refreshIdleMs", 30 * DAY_MS, accessTokenTtlMs);
  return {
    name: readString("name", options.name ?? "issuer"),
    url: checkIssuerUrl(options.url),
    audience: readString("audience", options.audience),
    algorithm,
    authenticate,
    clients: requireArray("clients", options.clients).map((one, i) => checkClient(`clients[${i}]`, one)),
    corsOrigins: requireArray("corsOrigins", options.corsOrigins).map((one, i) =>
      checkCorsOrigin(`corsOrigins[${i}]`, one),
    ),
    accessTokenTtlMs,
    refreshIdleMs,
    refreshAbsoluteMs: number("refreshAbsoluteMs", 90 * DAY_MS, refreshIdleMs),
    graceMs: number("graceMs", 30_000, 0),
    keyRotationMs: number("keyRotationMs", 30 * DAY_MS, accessTokenTtlMs),
  };
}

function requireArray<T>(name: string, value: readonly T[] | undefined): readonly T[] {
  if (value !== undefined && !Array.isArray(value)) throw invalidOption(name, "an array", value);
  return value ?? [];
}

/** RFC 8414 §2: the identifier has no query and no fragment. */
function checkIssuerUrl(value: unknown): string {
  const url = readString("url", value);
  const parsed = URL.parse(url);
  if (parsed === null || !/^https?:$/.test(parsed.protocol) || /[?#]/.test(url) || parsed.username !== "") {
    throw invalidOption("url", "an http(s) URL without credentials, query or fragment", value);
  }
  return url;
}

function checkClient(name: string, client: Client): Required<Client> {
  rejectUnknownOptions(name, client, ["id", "secret", "scopes"]);
  const id = readString(`${name}.id`, client.id);
  // RFC 7617 §2: a colon would end the user-id.
  if (id.includes(":")) throw invalidOption(`${name}.id`, "a string without a colon", id);
  if (id === FIRST_PARTY_CLIENT_ID)
    throw invalidOption(`${name}.id`, `another name than ${FIRST_PARTY_CLIENT_ID}`, id);
  const secret = readString(`${name}.secret`, client.secret);
  if (secret.length < MIN_CLIENT_SECRET_CHARS) {
    throw invalidOption(`${name}.secret`, `at least ${MIN_CLIENT_SECRET_CHARS} characters`, secret);
  }
  const scopes = requireArray(`${name}.scopes`, client.scopes);
  if (!scopes.every(isScopeToken)) {
    throw invalidOption(`${name}.scopes`, "an array of scopes (RFC 6749 §3.3)", scopes);
  }
  return { id, secret, scopes: [...scopes] };
}

/** RFC 6454 §6.2: a wildcard or a path would never match what a browser sends. */
function checkCorsOrigin(name: string, value: unknown): string {
  const given = readString(name, value);
  if (URL.parse(given)?.origin === given) return given;
  throw new HoldfastError(
    "invalid_option",
    `${name} must be an exact origin such as https://app.example.com`,
  );
}
