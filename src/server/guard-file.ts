import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { HoldfastError, isHoldfastError, systemErrorCode } from "../core/errors.ts";
import { isRecord } from "../core/json.ts";
import { invalidOption, rejectUnknownOptions } from "../core/options.ts";
import { platformFetch, type Fetch } from "../guard/fetch-json.ts";
import { introspection } from "../guard/authority/introspection.ts";
import type { AuthorityOptions } from "../guard/authority/settings.ts";
import { tokenValidation } from "../guard/authority/token-validation.ts";
import { readIssuerOrTenants } from "../guard/issuer-settings.ts";
import { tenants, type PlaceholderValues } from "../guard/issuers/tenants.ts";
import { discovered } from "../guard/keys/discovery.ts";
import { jwks } from "../guard/keys/jwks.ts";
import type { KeySource } from "../guard/keys/key-source.ts";
import { sharedSecret } from "../guard/keys/shared-secret.ts";
import { staticKeys } from "../guard/keys/static-keys.ts";
import type { CommonGuardOptions, TrustedIssuer } from "../guard/types.ts";
import { parseJsonObject } from "../jwt/strict-json.ts";
import { parseOpaque } from "./opaque-setting.ts";
import { readPrivateFile } from "./store/private-file.ts";

/** Options of the guard that the file may set. They concern the tokens of the service, too. */
const guardOptionNames = ["clockToleranceMs", "maxTokenBytes", "memory", "maxAuthAgeMs", "degraded"] as const;
type GuardFileOptions = Pick<CommonGuardOptions, (typeof guardOptionNames)[number]>;

/** The content of the file that HOLDFAST_GUARD names. */
export interface GuardFile {
  readonly issuers: readonly TrustedIssuer[];
  readonly options: GuardFileOptions;
  /** The audiences of the issuers. The gateway accepts them beside that of the service. */
  readonly audiences: readonly string[];
  /** Whether an issuer has an authority, whose answers several services can share. */
  readonly hasAuthority: boolean;
}

export const noGuardFile: GuardFile = { issuers: [], options: {}, audiences: [], hasAuthority: false };

/** The surroundings of an entry of the file. */
interface Reading {
  /** Relative names of files begin here. */
  readonly folder: string;
  /** The audience of an issuer that names none. */
  readonly audience: TrustedIssuer["audience"];
  readonly fetch: Fetch;
}

/**
 * Reads the file with the options that do not fit an environment variable. docs/reference/settings.md describes its members. Rejects
 * with `invalid_option` or `invalid_key`, naming the file and the member. `audience` is that of the service. Without a file
 * there are no further issuers.
 */
export async function readGuardFile(
  file: string | undefined,
  audience: TrustedIssuer["audience"],
  fetch: Fetch = platformFetch,
): Promise<GuardFile> {
  if (file === undefined) return noGuardFile;
  const fail = (why: string, cause?: unknown) =>
    new HoldfastError("invalid_option", `HOLDFAST_GUARD ${file}: ${why}`, { cause });
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    throw fail(`cannot be read (${systemErrorCode(error)})`, error);
  }
  const content = parseJsonObject(bytes);
  if (content === null) throw fail("must be a JSON object without duplicate members");
  try {
    rejectUnknownOptions("the file", content, ["issuers", ...guardOptionNames]);
    const { issuers: entries = [], ...options } = content;
    if (!Array.isArray(entries)) throw invalidOption("issuers", "a list", entries);
    const reading: Reading = { folder: dirname(file), audience, fetch };
    const issuers: TrustedIssuer[] = [];
    for (const [index, entry] of (entries as unknown[]).entries()) {
      issuers.push(await readEntry(`issuers[${index}]`, entry, reading));
    }
    const audiences = [...new Set(issuers.flatMap((issuer) => issuer.audience ?? []))];
    const hasAuthority = issuers.some(({ authority: given }) => given !== undefined);
    return { issuers, options, audiences, hasAuthority };
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    throw new HoldfastError(error.code, `HOLDFAST_GUARD ${file}: ${error.message}`, { cause: error });
  }
}

/** The members of an issuer that are passed on as they stand. `createGuard` checks them. */
const plainNames = [
  "algorithms",
  "types",
  "requireTyp",
  "requiredClaims",
  "allowMissingExp",
  "claims",
  "audienceFrom",
  "subjectFrom",
  "sessionFrom",
  "scopesFrom",
];

async function readEntry(place: string, entry: unknown, reading: Reading): Promise<TrustedIssuer> {
  const own = ["issuer", "tenants", "audience", "keys", "authority", "allowHttp"];
  rejectUnknownOptions(place, entry, [...own, ...plainNames]);
  const given = entry as Record<string, unknown>;
  // The gateway compares audiences, so that a token of the service for another API does not pass.
  if (given["audience"] === null) throw invalidOption(`${place}.audience`, "one audience or a list", null);
  const {
    issuer,
    tenants: values,
    audience = reading.audience,
    keys,
    authority,
    allowHttp,
    ...plain
  } = given;
  const common = { fetch: reading.fetch, ...(allowHttp !== undefined && { allowHttp }) };
  const read: TrustedIssuer = {
    ...plain,
    issuer:
      values === undefined
        ? (issuer as string)
        : tenants(issuer as string, values as Record<string, PlaceholderValues>),
    audience: audience as TrustedIssuer["audience"],
    keys: await readKeys(`${place}.keys`, keys ?? { discovered: {} }, common, reading),
    ...(authority !== undefined && {
      authority: await readAuthority(`${place}.authority`, authority, common, reading),
    }),
  };
  // The guard would name the entry by another index, because the issuer of the service comes first.
  readIssuerOrTenants(place, read);
  return read;
}

async function readKeys(
  place: string,
  value: unknown,
  common: object,
  reading: Reading,
): Promise<KeySource | KeySource[]> {
  if (Array.isArray(value)) {
    const sources: KeySource[] = [];
    for (const [index, one] of (value as unknown[]).entries()) {
      sources.push((await readKeys(`${place}[${index}]`, one, common, reading)) as KeySource);
    }
    return sources;
  }
  const form = "an object with jwks, discovered, static or secretFile, or a list of these";
  if (!isRecord(value)) throw invalidOption(place, form, value);
  const { jwks: url, discovered: options, static: set, secretFile, ...rest } = value;
  if ([url, options, set, secretFile].filter((one) => one !== undefined).length !== 1) {
    throw invalidOption(place, form, value);
  }
  if (url !== undefined) return jwks(url as string, { ...common, ...rest });
  if (set !== undefined) return noMore(place, rest, [], () => staticKeys(set));
  if (options !== undefined) {
    return noMore(place, rest, [], () => discovered({ ...common, ...(options as object) }));
  }
  const secret = Buffer.from(await readSecret(`${place}.secretFile`, secretFile, reading)());
  const { algorithm, ...more } = rest as { algorithm: Parameters<typeof sharedSecret>[1] };
  return sharedSecret(secret, algorithm, more);
}

/** Refuses members beside the one that names the kind of source. */
function noMore<T>(place: string, rest: object, known: readonly string[], make: () => T): T {
  rejectUnknownOptions(place, rest, known);
  return make();
}

async function readAuthority(place: string, value: unknown, common: object, reading: Reading) {
  const form = "an object with introspection or tokenValidation";
  if (!isRecord(value)) throw invalidOption(place, form, value);
  rejectUnknownOptions(place, value, ["introspection", "tokenValidation"]);
  const [[kind, given] = [], other] = Object.entries(value);
  if (!isRecord(given) || other !== undefined) throw invalidOption(place, form, value);
  const { clientSecretFile, privateKeyFile, bearerTokenFile, opaque, ...rest } = given;
  const options: Record<string, unknown> = { ...common, ...rest };
  const at = (name: string) => `${place}.${kind}.${name}`;
  if (opaque !== undefined) options["opaque"] = readOpaque(at("opaque"), opaque);
  const files = { clientSecret: clientSecretFile, bearerToken: bearerTokenFile };
  for (const [name, file] of Object.entries(files)) {
    if (file !== undefined) options[name] = await checked(readSecret(at(`${name}File`), file, reading));
  }
  if (privateKeyFile !== undefined) {
    const read = readSecret(at("privateKeyFile"), privateKeyFile, reading);
    const parse = async () => parseJsonObject(Buffer.from(await read())) ?? {};
    options["privateKey"] = await checked(parse);
  }
  const make = kind === "introspection" ? introspection : tokenValidation;
  return make(options as unknown as AuthorityOptions);
}

/** Reads a value once, so that a missing file stops the start. Later reads notice a file that was replaced. */
async function checked<T>(read: () => Promise<T>): Promise<() => Promise<T>> {
  await read();
  return read;
}

function readOpaque(place: string, value: unknown): boolean | RegExp {
  const opaque = typeof value === "string" ? parseOpaque(value) : value;
  if (typeof opaque === "boolean" || opaque instanceof RegExp) return opaque;
  throw invalidOption(place, "true, false, or a text as in HOLDFAST_AUTHORITY_OPAQUE", value);
}

/** Returns a function that reads the text of a private file, without its final line break. */
function readSecret(place: string, file: unknown, { folder }: Reading): () => Promise<string> {
  if (typeof file !== "string" || file === "") throw invalidOption(place, "the name of a file", file);
  return async () => {
    const text = await readPrivateFile(resolve(folder, file));
    if (text === null || text === "") {
      throw new HoldfastError("invalid_option", `${place} must name a file that is not empty; got ${file}`);
    }
    return text;
  };
}
