import { randomOption } from "../core/entropy-options.ts";
import type { Clock } from "../core/clock.ts";
import {
  clockOption,
  option,
  readOptions,
  requireMethods,
  wholeOption,
  type OptionTable,
} from "../core/options.ts";
import type { Guard } from "../guard/types.ts";
import type { ConnectionsOptions } from "./types.ts";

/** No time is longer than a day, because a timer cannot be longer than 24.8 days. */
const DAY_MS = 86_400_000;

type Times = Required<Omit<ConnectionsOptions, "guard" | "clock" | "random">>;

/** The options, checked, copied and complete. */
export interface ConnectionsSettings<C = unknown> extends Readonly<Times> {
  readonly guard: Guard<C>;
  readonly clock: Clock;
  readonly random: () => number;
}

/** The options of `createConnections`, with their limits and defaults. */
export const connectionsOptionTable: OptionTable<ConnectionsSettings> = {
  guard: option((_, guard) => {
    requireMethods("createConnections", "guard", guard, ["admit", "watch"]);
    return guard as Guard<unknown>;
  }),
  max: wholeOption(100_000, 1),
  maxPerSubject: wholeOption(100, 1),
  maxPending: wholeOption(1_000, 1),
  firstTokenMs: wholeOption(10_000, 1, DAY_MS),
  warnMs: wholeOption(60_000, 0, DAY_MS),
  recheckMs: wholeOption(300_000, 1_000, DAY_MS),
  recheckDegradedMs: wholeOption(5_000, 1_000, DAY_MS),
  maxRechecks: wholeOption(32, 1),
  unconfirmedMs: wholeOption(60_000, 0, DAY_MS),
  spreadMs: wholeOption(10_000, 0, DAY_MS),
  clock: clockOption("createConnections"),
  random: randomOption,
};

/** Checks the options. Throws `invalid_option` or `missing_method`, with the name of the option. */
export function connectionsSettings<C>(options: ConnectionsOptions<C>): ConnectionsSettings<C> {
  return readOptions("createConnections", options, connectionsOptionTable) as ConnectionsSettings<C>;
}
