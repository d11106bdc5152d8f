import { invalidValue } from "../../core/option-values.ts";
import { checkNumber, unknownMember } from "./argument-checks.ts";

/** How the network treats each message. All members can be changed while the world runs. */
export interface NetworkConditions {
  /** The usual time of a message, milliseconds: at least and at most. */
  latencyMs: readonly [number, number];
  /** The share of messages that take `slowMs` instead. Default 0.02. */
  slow: number;
  slowMs: readonly [number, number];
  /** The share of messages that are lost. The sender is not told. Default 0. */
  drop: number;
  /** The share of requests that arrive twice. Default 0. */
  duplicate: number;
}

const OWNER = "network.conditions";

/** Reads one condition. */
type Reader<T> = (name: string, value: T) => T;

const share: Reader<number> = (name, value) => {
  const mustBe = "a share from 0 to 1";
  if (checkNumber(name, value, 0, mustBe) > 1) throw invalidValue(name, mustBe, value);
  return value;
};

/** Copies the pair, so that a later change of the caller's array is no unchecked condition. */
const range: Reader<readonly [number, number]> = (name, value) => {
  const pair: readonly unknown[] = Array.isArray(value) ? value : [];
  const [min, max] = pair as readonly [number, number];
  const isRange = pair.length === 2 && Number.isFinite(min) && Number.isFinite(max) && 0 <= min && min <= max;
  if (!isRange) throw invalidValue(name, "two finite numbers of milliseconds, the smaller first", value);
  return Object.freeze([min, max] as const);
};

const readers: { readonly [K in keyof NetworkConditions]: Reader<NetworkConditions[K]> } = {
  latencyMs: range,
  slow: share,
  slowMs: range,
  drop: share,
  duplicate: share,
};

/** The conditions at the start of a world. Each change is checked, because a misspelt condition would do nothing. */
export function createConditions(): NetworkConditions {
  const conditions: NetworkConditions = {
    latencyMs: Object.freeze([0.3, 8] as const),
    slow: 0.02,
    slowMs: Object.freeze([200, 4_000] as const),
    drop: 0,
    duplicate: 0,
  };
  const names = Object.keys(readers);
  const checkMember = (name: string | symbol): void => {
    if (!names.includes(String(name))) throw unknownMember(OWNER, String(name), names);
  };
  return new Proxy(conditions, {
    set: (target, name, value: never) => {
      checkMember(name);
      const known = name as keyof NetworkConditions;
      return Reflect.set(target, known, readers[known](`${OWNER}.${known}`, value));
    },
    defineProperty: (_, name) => {
      checkMember(name);
      throw invalidValue(`${OWNER}.${String(name)}`, "set by an assignment", undefined);
    },
    deleteProperty: (_, name) => {
      checkMember(name);
      throw invalidValue(`${OWNER}.${String(name)}`, "a number or a pair of numbers", undefined);
    },
  });
}
