import type { HoldfastError } from "./errors.ts";
import { describeValue, likelyName, optionError } from "./option-checks.ts";
import { option, type OptionReader } from "./option-table.ts";

/** In characters. */
const MAX_SHOWN = 100;
const MAX_ITEMS = 5;
/** A URL with credentials, or with a query, which may hold a key. */
const withCredentials = /:\/\/(?:[^/]*@|[^?]*\?)/;

/**
 * Like `invalidOption`, but the message shows the value. Only for options that never hold a secret, such as names
 * and numbers.
 */
export function invalidValue(name: string, mustBe: string, value: unknown): HoldfastError {
  return optionError(name, mustBe, showValue(value) ?? describeValue(value));
}

/** Reads one of a few words. The error suggests the word that a misspelt one resembles. */
export function readChoice<T extends string>(name: string, choices: readonly T[], value: unknown): T {
  const found = choices.find((choice) => choice === value);
  if (found !== undefined) return found;
  const mustBe = `${choices.slice(0, -1).join(", ")} or ${choices.at(-1)}`;
  const likely = typeof value === "string" ? likelyName(value, choices) : undefined;
  const hint = likely === undefined ? "" : `; did you mean ${likely}?`;
  throw optionError(name, mustBe, `${showValue(value) ?? describeValue(value)}${hint}`);
}

/** An option that is true or false. */
export function flagOption(defaultValue: boolean): OptionReader<boolean> {
  return option((name, value) => {
    if (typeof value !== "boolean") throw invalidValue(name, "true or false", value);
    return value;
  }, defaultValue);
}

/** The text that an error shows for a value. `undefined` when it only names the type of the value. */
function showValue(value: unknown): string | undefined {
  if (typeof value === "string" && value !== "" && !withCredentials.test(value)) {
    return printable(JSON.stringify(value.length > MAX_SHOWN ? `${value.slice(0, MAX_SHOWN)}…` : value));
  }
  if (!Array.isArray(value)) return undefined;
  const items = value.slice(0, MAX_ITEMS).map((item: unknown) => showValue(item) ?? typeof item);
  return `[${[...items, ...(value.length > MAX_ITEMS ? ["…"] : [])].join(", ")}]`;
}

/** The text with escapes for control characters and for marks that change the direction of writing. */
function printable(text: string): string {
  return text.replaceAll(/[\p{C}\u2028\u2029]/gu, (one) => `\\u{${(one.codePointAt(0) ?? 0).toString(16)}}`);
}
