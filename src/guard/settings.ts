import { systemClock, type Clock } from "../core/clock.ts";
import { HoldfastError } from "../core/errors.ts";
import { invalidOption, onlyKnown, requireMethods, text, wholeNumber } from "../core/options.ts";
import type { SharedAnswersSource, Snapshots } from "../stores/contracts.ts";
import { degradedPolicy, type DegradedPolicy } from "./degraded-policy.ts";
import { issuerOptions, trustedIssuers, type IssuerSettings } from "./trusted-issuer.ts";
import type { GuardOptions, GuardSettingsOptions } from "./types.ts";

/** The options of a guard, checked, copied and complete. */
export interface GuardSettings {
  readonly name: string;
  readonly issuers: readonly IssuerSettings[];
  readonly degraded: DegradedPolicy;
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
} satisfies Record<keyof GuardSettingsOptions, 0>);

type NumberOption = "clockToleranceMs" | "maxTokenBytes" | "revocationPollMs" | "maxRevocations";

/** Throws `invalid_option` or `missing_method`, naming the option. */
export function guardSettings(options: GuardOptions): GuardSettings {
  onlyKnown("createGuard", options, [...issuerOptions, "issuers", ...known]);
  const { name = "guard", clock = systemClock, random = Math.random, memory = {} } = options;
  const { snapshots, shared } = options;
  requireMethods("createGuard", "clock", clock, ["now", "monotonic", "after"]);
  if (snapshots !== undefined) requireMethods("createGuard", "snapshots", snapshots, ["load", "save"]);
  if (typeof random !== "function") throw invalidOption("random", "a function", random);
  onlyKnown("createGuard: memory", memory, ["maxBytes", "ttlMs"]);
  const whole = (option: NumberOption, preset: number, min: number, max?: number) =>
    wholeNumber(option, options[option], { default: preset, min, ...(max && { max }) });
  const issuers = trustedIssuers(options);
  const degraded = degradedPolicy(options.degraded);
  if (shared !== undefined) checkShared(shared, issuers);
  return {
    name: text("name", name),
    issuers,
    degraded,
    toleranceMs: whole("clockToleranceMs", 5_000, 0, 300_000),
    maxTokenBytes: whole("maxTokenBytes", 16_384, 1, 1_048_576),
    memoryBytes: wholeNumber("memory.maxBytes", memory.maxBytes, { default: 67_108_864, min: 1 }),
    memoryTtlMs: wholeNumber("memory.ttlMs", memory.ttlMs, { default: 300_000, min: 1 }),
    shared,
    revocationPollMs: whole("revocationPollMs", 250, 10, 60_000),
    maxRevocationAgeMs: acceptedRevocationAge(options.maxRevocationAgeMs, issuers, degraded),
    maxRevocations: whole("maxRevocations", 1_000_000, 1),
    snapshots,
    clock,
    random,
  };
}

function checkShared(shared: SharedAnswersSource, issuers: readonly IssuerSettings[]): void {
  requireMethods("createGuard", "shared", shared, ["deriveKey", "open"]);
  wholeNumber("shared.timeoutMs", shared.timeoutMs, { default: 0, min: 1 });
  const asked = issuers.flatMap(({ authority }) => authority ?? []);
  if (asked.length === 0 || asked.some(({ identity }) => typeof identity !== "string")) {
    const why = "only its answers are shared, and only with who asks the same one";
    throw new HoldfastError("invalid_option", `shared needs an authority with an identity: ${why}`);
  }
}

/** Whoever bridges an outage of the authority bridges one of the log for as long. */
function acceptedRevocationAge(
  value: number | undefined,
  issuers: readonly IssuerSettings[],
  degraded: DegradedPolicy,
): number {
  if (value === Infinity) return Infinity;
  if (value !== undefined && issuers.some(({ feed }) => feed === undefined)) {
    throw new HoldfastError(
      "invalid_option",
      "maxRevocationAgeMs needs revocations for every issuer: without a log there is no age",
    );
  }
  const preset = degraded.mode === "deny" ? 60_000 : degraded.maxMs;
  return wholeNumber("maxRevocationAgeMs", value, { default: preset, min: 1 });
}
