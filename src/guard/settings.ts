import type { Clock } from "../core/clock.ts";
import type { Entropy } from "../core/entropy.ts";
import { entropyOption, randomOption } from "../core/entropy-options.ts";
import { HoldfastError } from "../core/errors.ts";
import {
  clockOption,
  functionOption,
  option,
  readOptions,
  readString,
  readWholeNumber,
  rejectUnknownOptions,
  wholeOption,
  type OptionTable,
} from "../core/options.ts";
import { flagOption, invalidValue, readChoice } from "../core/option-values.ts";
import { degradedModes, MIN_AUTH_AGE_MS, type DegradedMode } from "../core/rules.ts";
import { TRACING_METHODS, type Tracing } from "../core/tracing.ts";
import type { Snapshots } from "../stores/store.ts";
import type { SharedAnswersSource } from "../stores/shared-answers.ts";
import { ConsoleWarnings } from "./console-warnings.ts";
import { readIssuerOrTenants, readIssuers, readPart, trustedIssuerOptionTable } from "./issuer-settings.ts";
import type { IssuerFamily, IssuerSettings, ReadIssuers } from "./issuer-settings.ts";
import type { CommonGuardOptions, GuardOptions, IssuerFor } from "./types.ts";

const OWNER = "createGuard";

/** The option `degraded`, with its default. */
interface FallbackPolicy {
  readonly mode: DegradedMode;
  /** How long the guard may decide without the authority, in milliseconds. */
  readonly maxMs: number;
}

interface MemoryLimits {
  readonly maxBytes: number;
  readonly ttlMs: number;
}

/** The options of a guard, checked, copied and complete. */
export interface GuardSettings {
  readonly name: string;
  readonly issuers: readonly IssuerSettings[];
  readonly families: readonly IssuerFamily[];
  readonly issuerFor: IssuerFor | undefined;
  readonly maxIssuers: number;
  /** Checks an issuer of `issuerFor` against the options of the guard. Throws `invalid_option`. */
  readonly checkFound: (issuer: IssuerSettings) => void;
  readonly fallback: FallbackPolicy;
  readonly toleranceMs: number;
  readonly maxTokenBytes: number;
  readonly memoryBytes: number;
  readonly memoryTtlMs: number;
  readonly shared: SharedAnswersSource | undefined;
  readonly revocationPollMs: number;
  readonly maxRevocationAgeMs: number;
  readonly maxAuthAgeMs: number;
  readonly maxRevocations: number;
  readonly snapshots: Snapshots | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly entropy: Entropy;
  readonly warnings: ConsoleWarnings;
  readonly tracing: Tracing | undefined;
}

/** The values of the options, named like the options. */
interface GuardOptionValues {
  readonly issuers: ReadIssuers | undefined;
  readonly issuerFor: IssuerFor | undefined;
  readonly maxIssuers: number;
  readonly degraded: FallbackPolicy;
  readonly clockToleranceMs: number;
  readonly maxTokenBytes: number;
  readonly memory: MemoryLimits;
  readonly shared: SharedAnswersSource | undefined;
  readonly revocationPollMs: number;
  readonly maxRevocationAgeMs: number | undefined;
  readonly maxAuthAgeMs: number | undefined;
  readonly maxRevocations: number;
  readonly snapshots: Snapshots | undefined;
  readonly name: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly entropy: Entropy;
  readonly warnings: boolean;
  readonly tracing: Tracing | undefined;
}

const defaultFallback: FallbackPolicy = { mode: "deny", maxMs: 3_600_000 };
const defaultMemory: MemoryLimits = { maxBytes: 67_108_864, ttlMs: 300_000 };
/** The default of `maxRevocationAgeMs` in mode `deny`. The other modes use the bound of `degraded`. */
const MAX_REVOCATION_AGE_MS = 60_000;

/** The options of `createGuard`, without those of a single issuer ({@link trustedIssuerOptionTable}). */
export const guardOptionTable: OptionTable<GuardOptionValues> = {
  issuers: option((name, value) => (value === undefined ? undefined : readIssuers(name, value))),
  issuerFor: functionOption<IssuerFor | undefined>(() => undefined),
  maxIssuers: wholeOption(1_000, 1, 100_000),
  degraded: option(readFallbackPolicy, defaultFallback),
  clockToleranceMs: wholeOption(5_000, 0, 300_000),
  maxTokenBytes: wholeOption(16_384, 1, 1_048_576),
  memory: option(readMemory, defaultMemory),
  shared: option(readShared),
  revocationPollMs: wholeOption(250, 10, 60_000),
  maxRevocationAgeMs: option(readMaxAge),
  maxAuthAgeMs: option((name, value) =>
    value === undefined ? undefined : readWholeNumber(name, value, { default: 0, min: MIN_AUTH_AGE_MS }),
  ),
  maxRevocations: wholeOption(2_000_000, 1),
  snapshots: option((name, value) =>
    value === undefined ? undefined : readPart<Snapshots>(name, value, ["load", "save"]),
  ),
  name: option(readString, "guard"),
  clock: clockOption(OWNER),
  random: randomOption,
  entropy: entropyOption(OWNER),
  warnings: flagOption(true),
  tracing: option((name, value) =>
    value === undefined ? undefined : readPart<Tracing>(name, value, TRACING_METHODS),
  ),
} satisfies Record<keyof CommonGuardOptions | "issuers" | "issuerFor", unknown>;

/** Throws `invalid_option` or `missing_method`, naming the option. */
export function readGuardSettings(options: GuardOptions): GuardSettings {
  const issuerNames = Object.keys(trustedIssuerOptionTable);
  const guardNames = Object.keys(guardOptionTable);
  rejectUnknownOptions(OWNER, options, [...issuerNames, ...guardNames]);
  const issuerOptions = pick(options, issuerNames);
  const values = readOptions(OWNER, pick(options, guardNames), guardOptionTable);
  const both = values.issuers && issuerNames.find((name) => issuerOptions[name] !== undefined);
  if (both !== undefined) {
    throw new HoldfastError("invalid_option", `${OWNER} takes ${both} or issuers, not both`);
  }
  const { issuerFor, degraded, memory, shared } = values;
  const isFound = issuerFor !== undefined;
  const single = issuerNames.find((name) => issuerOptions[name] !== undefined);
  if (isFound && single !== undefined) {
    throw new HoldfastError("invalid_option", `${OWNER} takes ${single} or issuerFor, not both`);
  }
  const none = { issuers: [], families: [] };
  const { issuers, families } =
    values.issuers ?? (isFound ? none : readIssuerOrTenants(OWNER, issuerOptions));
  const named = [...issuers, ...families.map(({ settings }) => settings)];
  if (shared !== undefined && (named.length > 0 || !isFound)) requireSharedIdentity(named);
  return {
    name: values.name,
    issuers,
    families,
    issuerFor,
    maxIssuers: values.maxIssuers,
    checkFound: (issuer) => {
      if (issuer.claimsPolicy.allowMissingIss) {
        throw invalidValue("issuerFor: allowMissingIss", "false", true);
      }
      if (issuer.authority?.opaque != null) {
        const why = "an opaque token does not name its issuer";
        throw new HoldfastError("invalid_option", `issuerFor cannot return an authority with opaque: ${why}`);
      }
      if (shared !== undefined && issuer.authority !== undefined) requireSharedIdentity([issuer]);
      maxRevocationAge(values.maxRevocationAgeMs, [issuer], degraded);
    },
    fallback: degraded,
    toleranceMs: values.clockToleranceMs,
    maxTokenBytes: values.maxTokenBytes,
    memoryBytes: memory.maxBytes,
    memoryTtlMs: memory.ttlMs,
    shared,
    revocationPollMs: values.revocationPollMs,
    maxRevocationAgeMs: maxRevocationAge(values.maxRevocationAgeMs, named, degraded),
    maxAuthAgeMs: values.maxAuthAgeMs ?? Infinity,
    maxRevocations: values.maxRevocations,
    snapshots: values.snapshots,
    clock: values.clock,
    random: values.random,
    entropy: values.entropy,
    warnings: new ConsoleWarnings(values.name, values.clock, values.warnings),
    tracing: values.tracing,
  };
}

function pick(options: object, names: readonly string[]): Record<string, unknown> {
  const given = options as Readonly<Record<string, unknown>>;
  return Object.fromEntries(names.map((name) => [name, given[name]]));
}

function readFallbackPolicy(name: string, value: unknown): FallbackPolicy {
  const given = typeof value === "string" ? { mode: value } : value;
  rejectUnknownOptions(name, given, ["mode", "maxMs"]);
  const { mode, maxMs } = given as Partial<FallbackPolicy>;
  const bounds = { default: defaultFallback.maxMs, min: 1 };
  return {
    mode: readChoice(name, degradedModes, mode),
    maxMs: readWholeNumber(`${name}.maxMs`, maxMs, bounds),
  };
}

function readMemory(name: string, value: unknown): MemoryLimits {
  rejectUnknownOptions(name, value, ["maxBytes", "ttlMs"]);
  const { maxBytes, ttlMs } = value as Partial<MemoryLimits>;
  return {
    maxBytes: readWholeNumber(`${name}.maxBytes`, maxBytes, { default: defaultMemory.maxBytes, min: 1 }),
    ttlMs: readWholeNumber(`${name}.ttlMs`, ttlMs, { default: defaultMemory.ttlMs, min: 1 }),
  };
}

function readShared(name: string, value: unknown): SharedAnswersSource | undefined {
  if (value === undefined) return undefined;
  const source = readPart<SharedAnswersSource>(name, value, ["deriveKey", "open"]);
  readWholeNumber(`${name}.timeoutMs`, source.timeoutMs, { default: 0, min: 1 });
  return source;
}

/** Instances share answers only where they ask the same authority as the same client. */
function requireSharedIdentity(issuers: readonly IssuerSettings[]): void {
  const authorities = issuers.flatMap(({ authority }) => authority ?? []);
  if (authorities.length === 0 || authorities.some(({ identity }) => typeof identity !== "string")) {
    const why = "instances share answers only when they ask the same authority as the same client";
    throw new HoldfastError("invalid_option", `shared needs an authority with an identity: ${why}`);
  }
}

function readMaxAge(name: string, value: unknown): number | undefined {
  if (value === undefined || value === Infinity) return value;
  return readWholeNumber(name, value, { default: 0, min: 1 });
}

/** A guard that may decide without the authority for some time may also decide without the log for as long. */
function maxRevocationAge(
  value: number | undefined,
  issuers: readonly IssuerSettings[],
  { mode, maxMs }: FallbackPolicy,
): number {
  if (value === undefined) return mode === "deny" ? MAX_REVOCATION_AGE_MS : maxMs;
  if (value !== Infinity && issuers.some(({ revocationFeed }) => revocationFeed === undefined)) {
    throw new HoldfastError(
      "invalid_option",
      "maxRevocationAgeMs needs revocations for every issuer: without a log the age is unknown",
    );
  }
  return value;
}
