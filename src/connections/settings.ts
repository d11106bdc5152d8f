import { systemClock, type Clock } from "../core/clock.ts";
import { invalidOption, rejectUnknownOptions, requireMethods, readWholeNumber } from "../core/options.ts";
import type { ConnectionsOptions } from "./types.ts";

type Bounds = Record<
  Exclude<keyof ConnectionsOptions, "guard" | "clock" | "random">,
  { default: number; min: number; max?: number }
>;

/** Further than timers go nobody waits. */
const DAY_MS = 86_400_000;

const bounds: Bounds = {
  max: { default: 100_000, min: 1 },
  maxPerSubject: { default: 100, min: 1 },
  maxPending: { default: 1_000, min: 1 },
  firstTokenMs: { default: 10_000, min: 1, max: DAY_MS },
  warnMs: { default: 60_000, min: 0, max: DAY_MS },
  recheckMs: { default: 300_000, min: 1_000, max: DAY_MS },
  recheckDegradedMs: { default: 5_000, min: 1_000, max: DAY_MS },
  maxRechecks: { default: 32, min: 1 },
  unconfirmedMs: { default: 60_000, min: 0, max: DAY_MS },
  spreadMs: { default: 10_000, min: 0, max: DAY_MS },
};

/** The options, checked, copied and complete. */
export interface ConnectionsSettings extends Readonly<Record<keyof Bounds, number>> {
  readonly clock: Clock;
  readonly random: () => number;
}

/** Throws `invalid_option` or `missing_method`, naming the option. */
export function connectionsSettings<C>(options: ConnectionsOptions<C>): ConnectionsSettings {
  const names = Object.keys(bounds) as (keyof Bounds)[];
  rejectUnknownOptions("createConnections", options, ["guard", ...names, "clock", "random"]);
  const { guard, clock = systemClock, random = Math.random } = options;
  requireMethods("createConnections", "guard", guard, ["admit", "watch"]);
  requireMethods("createConnections", "clock", clock, ["now", "monotonic", "after"]);
  if (typeof random !== "function") throw invalidOption("random", "a function", random);
  const numbers = names.map((name) => [name, readWholeNumber(name, options[name], bounds[name])] as const);
  return { ...(Object.fromEntries(numbers) as Record<keyof Bounds, number>), clock, random };
}
