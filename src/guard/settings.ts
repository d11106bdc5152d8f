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
  readonly memory: { readonly maxBytes: number; readonly ttlMs: number };
  readonly revocations: RevocationFeed | undefined;
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

/** Throws `invalid_option` or `missing_method`, naming the option. */
export function guardSettings(options: GuardOptions): GuardSettings {
  onlyKnown("createGuard", options, known);
  const { issuer, audience, types, requireTyp, requiredClaims, allowMissingExp, keys, snapshots } = options;
  const { clock = systemClock, random = Math.random, memory = {} } = options;
  requireMethods("createGuard", "keys", keys, ["open"]);
  requireMethods("createGuard", "clock", clock, ["now", "monotonic", "after"]);
  if (snapshots !== undefined) requireMethods("createGuard", "snapshots", snapshots, ["load", "save"]);
  if (typeof random !== "function") throw invalidOption("random", "a function", random);
  onlyKnown("createGuard: memory", memory, ["maxBytes", "ttlMs"]);
  return {
    name: options.name === undefined ? "guard" : text("name", options.name),
    policy: proofPolicy({ issuer, audience, types, requireTyp, requiredClaims, allowMissingExp }),
    keys,
    algorithms: acceptedAlgorithms(options),
    toleranceMs: wholeNumber("clockToleranceMs", options.clockToleranceMs, {
      default: 5_000,
      min: 0,
      max: 300_000,
    }),
    maxTokenBytes: wholeNumber("maxTokenBytes", options.maxTokenBytes, {
      default: 16_384,
      min: 1,
      max: 1_048_576,
    }),
    memory: {
      maxBytes: wholeNumber("memory.maxBytes", memory.maxBytes, { default: 67_108_864, min: 1 }),
      ttlMs: wholeNumber("memory.ttlMs", memory.ttlMs, { default: 300_000, min: 1 }),
    },
    ...revocationSettings(options),
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

function revocationSettings(
  options: GuardOptions,
): Pick<GuardSettings, "revocations" | "revocationPollMs" | "maxRevocationAgeMs" | "maxRevocations"> {
  const { revocations, revocationPollMs, maxRevocations, maxRevocationAgeMs } = options;
  if (revocations !== undefined) {
    requireMethods("createGuard", "revocations", revocations, ["snapshot", "after", "subscribe"]);
  } else if (maxRevocationAgeMs !== undefined && maxRevocationAgeMs !== Infinity) {
    throw new HoldfastError(
      "invalid_option",
      "maxRevocationAgeMs needs revocations: without a log there is no age",
    );
  }
  return {
    revocations,
    revocationPollMs: wholeNumber("revocationPollMs", revocationPollMs, {
      default: 250,
      min: 10,
      max: 60_000,
    }),
    maxRevocationAgeMs:
      maxRevocationAgeMs === Infinity
        ? Infinity
        : wholeNumber("maxRevocationAgeMs", maxRevocationAgeMs, { default: 60_000, min: 1 }),
    maxRevocations: wholeNumber("maxRevocations", maxRevocations, { default: 1_000_000, min: 1 }),
  };
}
