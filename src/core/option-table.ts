import { systemClock, type Clock } from "./clock.ts";
import { invalidOption, readWholeNumber, rejectUnknownOptions, requireMethods } from "./option-checks.ts";

/** Reads one option. A table of readers declares a whole options object, so that each default is written once. */
export interface OptionReader<T> {
  /** Checks `value`, or returns the default when it is `undefined`. Errors call the option `name`. */
  readonly read: (name: string, value: unknown) => T;
  /** The default, as the documentation shows it. `undefined` when the option is required or has no fixed default. */
  readonly default: T | undefined;
}

/** One reader for each option. The compiler keeps the table complete. */
export type OptionTable<S> = { readonly [Name in keyof S]-?: OptionReader<S[Name]> };

/** Reads every option of the table. Throws `invalid_option` for a wrong value and for a name outside of the table. */
export function readOptions<S>(owner: string, options: unknown, table: OptionTable<S>): S {
  const names = Object.keys(table) as (keyof S & string)[];
  rejectUnknownOptions(owner, options, names);
  const given = options as Readonly<Record<string, unknown>>;
  const read = (name: keyof S & string) => [name, table[name].read(`${owner}: ${name}`, given[name])];
  return Object.fromEntries(names.map(read)) as S;
}

/** An option that `read` checks. Without `defaultValue` the option is required, unless `read` accepts `undefined`. */
export function option<T>(read: (name: string, value: unknown) => T, defaultValue?: T): OptionReader<T> {
  return {
    read: (name, value) =>
      value === undefined && defaultValue !== undefined ? defaultValue : read(name, value),
    default: defaultValue,
  };
}

/** A whole number from `min` to `max`. The default of `max` is `Number.MAX_SAFE_INTEGER`. */
export function wholeOption(defaultValue: number, min: number, max?: number): OptionReader<number> {
  const bounds = { default: defaultValue, min, ...(max !== undefined && { max }) };
  return { read: (name, value) => readWholeNumber(name, value, bounds), default: defaultValue };
}

/** A function. `makeDefault` runs when the option is left out, so that the default can depend on the current state. */
export function functionOption<F>(makeDefault: () => F): OptionReader<F> {
  const read = (name: string, value: unknown) => {
    if (value === undefined) return makeDefault();
    if (typeof value !== "function") throw invalidOption(name, "a function", value);
    return value as F;
  };
  return { read, default: undefined };
}

const CLOCK_METHODS = ["now", "monotonic", "after"];

/** A clock. The default is `systemClock`. Throws `missing_method` in the name of `owner`. */
export function clockOption(owner: string): OptionReader<Clock> {
  const read = (_name: string, value: unknown) => {
    if (value === undefined) return systemClock;
    requireMethods(owner, "clock", value, CLOCK_METHODS);
    return value as Clock;
  };
  return { read, default: undefined };
}
