import type { Rules } from "./rules.ts";
import type { ValidVerdict } from "./verdict.ts";

/**
 * Decides about a token that a guard remembers, without a promise. `null` when the token does not pass, or when more is
 * needed than the memory of the guard: `authorize` decides then. The rules must be a copy that `copyRules` made.
 */
export type DecideFromMemory<C> = (token: string, rules: Rules) => ValidVerdict<C> | null;

/** Belongs to the function and not to the guard. A guard with another `authorize` around it is asked through that one. */
const fromMemory = Symbol("fromMemory");

interface WithMemory<C> {
  readonly [fromMemory]?: DecideFromMemory<C>;
}

/** Adds the function by which adapters ask the memory first. Returns `authorize`. */
export function addFromMemory<C, F extends object>(authorize: F, decide: DecideFromMemory<C>): F {
  return Object.defineProperty(authorize, fromMemory, { value: decide });
}

/** The function that {@link addFromMemory} added. `undefined` for a function around `authorize`. */
export function getFromMemory<C>(authorize: object): DecideFromMemory<C> | undefined {
  return (authorize as WithMemory<C>)[fromMemory];
}
