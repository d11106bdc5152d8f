import { systemClock, type Clock } from "../core/clock.ts";
import { HoldfastError } from "../core/errors.ts";
import { invalidOption, onlyKnown, requireMethods, text, wholeNumber } from "../core/options.ts";
import { isAlgorithm, type Algorithm } from "../jwt/algorithms.ts";
import { proofPolicy, type ProofPolicy } from "../jwt/claims.ts";
import type { RevocationFeed, Snapshots } from "../stores/contracts.ts";
import type { KeySource } from "./keys/key-source.ts";
import type { GuardOptions } from "./types.ts";

/** The options of a guard, checked, copied and complete. */
export interface GuardSettings {
  readonly name: string;
  readonly policy: ProofPolicy;
  readonly keys: KeySource;
  readonly algorithms: readonly Algorithm[] | undefined;
  readonly toleranceMs: number;
  readonly maxTokenBytes: number;
  readonly memoryBytes: number;
  readonly memoryTtlMs: number;
  readonly feed: RevocationFeed | undefined;
  readonly revocationPollMs: number;
  readonly maxRevocationAgeMs: number;
  readonly maxRevocations: number;
  readonly snapshots: Snapshots | undefined;
  readonly clock: Clock;
  readonly random: () => number;
}

/** Every option there is; the compiler keeps it complete. */
const known = Object.keys({
  issuer: 0,
  audience: 0,
  keys: 0,
  algorithms: 0,
  types: 0,
  requireTyp: 0,
  requiredClaims: 0,
  allowMissingExp: 0,
  clockToleranceMs: 0,
  maxTokenBytes: 0,
  memory: 0,
  revocations: 0,
  revocationPollMs: 0,
  maxRevocationAgeMs: 0,
  maxRevocations: 0,
  snapshots: 0,
  name: 0,
  clock: 0,
  random: 0,
} satisfies Record<keyof GuardOptions, 0>);

type NumberOption = "clockToleranceMs" | "maxTokenBytes" | "revocationPollMs" | "maxRevocations";

/** Throws `invalid_option` or `missing_method`, naming the option. */
export function guardSettings(options: GuardOptions): GuardSettings {
  onlyKnown("createGuard", options, known);
  const { issuer, audience, types, requireTyp, requiredClaims, allowMissingExp, keys, snapshots } = options;
  const { name = "guard", clock = systemClock, random = Math.random, memory = {}, revocations } = options;
  requireMethods("createGuard", "keys", keys, ["open"]);
  requireMethods("createGuard", "clock", clock, ["now", "monotonic", "after"]);
  if (snapshots !== undefined) requireMethods("createGuard", "snapshots", snapshots, ["load", "save"]);
  if (revocations !== undefined) {
    requireMethods("createGuard", "revocations", revocations, ["snapshot", "after", "subscribe"]);
  }
  if (typeof random !== "function") throw invalidOption("random", "a function", random);
  onlyKnown("createGuard: memory", memory, ["maxBytes", "ttlMs"]);
  const whole = (option: NumberOption, preset: number, min: number, max?: number) =>
    wholeNumber(option, options[option], { default: preset, min, ...(max && { max }) });
  return {
    name: text("name", name),
    policy: proofPolicy({ issuer, audience, types, requireTyp, requiredClaims, allowMissingExp }),
    keys,
    algorithms: acceptedAlgorithms(options),
    toleranceMs: whole("clockToleranceMs", 5_000, 0, 300_000),
    maxTokenBytes: whole("maxTokenBytes", 16_384, 1, 1_048_576),
    memoryBytes: wholeNumber("memory.maxBytes", memory.maxBytes, { default: 67_108_864, min: 1 }),
    memoryTtlMs: wholeNumber("memory.ttlMs", memory.ttlMs, { default: 300_000, min: 1 }),
    feed: revocations,
    revocationPollMs: whole("revocationPollMs", 250, 10, 60_000),
    maxRevocationAgeMs: acceptedRevocationAge(options),
    maxRevocations: whole("maxRevocations", 1_000_000, 1),
    snapshots,
    clock,
    random,
  };
}

/** A public key must never serve as an HMAC secret (RFC 8725 §3.1). */
function acceptedAlgorithms({ algorithms, keys }: GuardOptions): readonly Algorithm[] | undefined {
  if (algorithms === undefined) return undefined;
  const fits = (name: unknown) => isAlgorithm(name) && (keys.kind === "secret" || !name.startsWith("HS"));
  if (!Array.isArray(algorithms) || algorithms.length === 0 || !algorithms.every(fits)) {
    throw invalidOption("algorithms", "a list of signature algorithms that fit the keys", algorithms);
  }
  return [...algorithms];
}

function acceptedRevocationAge({ maxRevocationAgeMs, revocations }: GuardOptions): number {
  if (maxRevocationAgeMs === Infinity) return Infinity;
  if (maxRevocationAgeMs !== undefined && revocations === undefined) {
    throw new HoldfastError(
      "invalid_option",
      "maxRevocationAgeMs needs revocations: without a log there is no age",
    );
  }
  return wholeNumber("maxRevocationAgeMs", maxRevocationAgeMs, { default: 60_000, min: 1 });
}
