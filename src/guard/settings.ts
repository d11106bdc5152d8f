import { systemClock, type Clock } from "../core/clock.ts";
import { HoldfastError } from "../core/errors.ts";
import {
  invalidOption,
  rejectUnknownOptions,
  requireMethods,
  readString,
  readWholeNumber,
} from "../core/options.ts";
import type { SharedAnswersSource, Snapshots } from "../stores/store.ts";
import { readFallbackPolicy, type FallbackPolicy } from "./fallback-policy.ts";
import { issuerOptionNames, readIssuerSettings, type IssuerSettings } from "./issuer-settings.ts";
import type { GuardOptions, CommonGuardOptions } from "./types.ts";

/** The options of a guard, checked, copied and complete. */
export interface GuardSettings {
  readonly name: string;
  readonly issuers: readonly IssuerSettings[];
  readonly fallback: FallbackPolicy;
  readonly toleranceMs: number;
  readonly maxTokenBytes: number;
  readonly memoryBytes: number;
  readonly memoryTtlMs: number;
  readonly shared: SharedAnswersSource | undefined;
  readonly revocationPollMs: number;
  readonly maxRevocationAgeMs: number;
  readonly maxRevocations: number;
  readonly snapshots: Snapshots | undefined;
  readonly clock: Clock;
  readonly random: () => number;
}

/** Every option besides those of an issuer; the compiler keeps it complete. */
const known = Object.keys({
  degraded: 0,
  clockToleranceMs: 0,
  maxTokenBytes: 0,
  memory: 0,
  shared: 0,
  revocationPollMs: 0,
  maxRevocationAgeMs: 0,
  maxRevocations: 0,
  snapshots: 0,
  name: 0,
  clock: 0,
  random: 0,
} satisfies Record<keyof CommonGuardOptions, 0>);

type NumberOption = "clockToleranceMs" | "maxTokenBytes" | "revocationPollMs" | "maxRevocations";

/** Throws `invalid_option` or `missing_method`, naming the option. */
export function readGuardSettings(options: GuardOptions): GuardSettings {
  rejectUnknownOptions("createGuard", options, [...issuerOptionNames, "issuers", ...known]);
  const { name = "guard", clock = systemClock, random = Math.random, memory = {} } = options;
  const { snapshots, shared } = options;
  requireMethods("createGuard", "clock", clock, ["now", "monotonic", "after"]);
  if (snapshots !== undefined) requireMethods("createGuard", "snapshots", snapshots, ["load", "save"]);
  if (typeof random !== "function") throw invalidOption("random", "a function", random);
  rejectUnknownOptions("createGuard: memory", memory, ["maxBytes", "ttlMs"]);
  const whole = (option: NumberOption, preset: number, min: number, max?: number) =>
    readWholeNumber(option, options[option], { default: preset, min, ...(max && { max }) });
  const issuers = readIssuerSettings(options);
  const degraded = readFallbackPolicy(options.degraded);
  if (shared !== undefined) checkShared(shared, issuers);
  return {
    name: readString("name", name),
    issuers,
    fallback: degraded,
    toleranceMs: whole("clockToleranceMs", 5_000, 0, 300_000),
    maxTokenBytes: whole("maxTokenBytes", 16_384, 1, 1_048_576),
    memoryBytes: readWholeNumber("memory.maxBytes", memory.maxBytes, { default: 67_108_864, min: 1 }),
    memoryTtlMs: readWholeNumber("memory.ttlMs", memory.ttlMs, { default: 300_000, min: 1 }),
    shared,
    revocationPollMs: whole("revocationPollMs", 250, 10, 60_000),
    maxRevocationAgeMs: readMaxRevocationAge(options.maxRevocationAgeMs, issuers, degraded),
    maxRevocations: whole("maxRevocations", 1_000_000, 1),
    snapshots,
    clock,
    random,
  };
}

function checkShared(shared: SharedAnswersSource, issuers: readonly IssuerSettings[]): void {
  requireMethods("createGuard", "shared", shared, ["deriveKey", "open"]);
  readWholeNumber("shared.timeoutMs", shared.timeoutMs, { default: 0, min: 1 });
  const asked = issuers.flatMap(({ authority }) => authority ?? []);
  if (asked.length === 0 || asked.some(({ identity }) => typeof identity !== "string")) {
    const why = "only its answers are shared, and only with who asks the same one";
    throw new HoldfastError("invalid_option", `shared needs an authority with an identity: ${why}`);
  }
}

/** Whoever bridges an outage of the authority bridges one of the log for as long. */
function readMaxRevocationAge(
  value: number | undefined,
  issuers: readonly IssuerSettings[],
  degraded: FallbackPolicy,
): number {
  if (value === Infinity) return Infinity;
  if (value !== undefined && issuers.some(({ revocationFeed }) => revocationFeed === undefined)) {
    throw new HoldfastError(
      "invalid_option",
      "maxRevocationAgeMs needs revocations for every issuer: without a log there is no age",
    );
  }
  const preset = degraded.mode === "deny" ? 60_000 : degraded.maxMs;
  return readWholeNumber("maxRevocationAgeMs", value, { default: preset, min: 1 });
}
