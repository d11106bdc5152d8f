import { HoldfastError } from "../../core/errors.ts";
import { likelyName } from "../../core/option-checks.ts";
import { invalidValue } from "../../core/option-values.ts";

/** Checks a duration. A text or NaN would make a fault that never happens, or a run that never ends. */
export function checkDuration(name: string, value: number): number {
  return checkNumber(name, value, 0, "a finite number of milliseconds, at least 0");
}

/** Checks a number that is finite and at least `min`. */
export function checkNumber(name: string, value: number, min: number, mustBe: string): number {
  if (!Number.isFinite(value) || value < min) throw invalidValue(name, mustBe, value);
  return value;
}

export function checkFunction(name: string, value: unknown): void {
  if (typeof value !== "function") throw invalidValue(name, "a function", value);
}

/** Checks a text that is not empty. */
export function checkText(name: string, value: string): string {
  if (typeof value !== "string" || value === "") throw invalidValue(name, "a non-empty string", value);
  return value;
}

/** Checks a host. A request reaches a host only when its URL spells the host in the same way. */
export function checkHost(name: string, value: string): void {
  checkText(name, value);
  if (["http", "https"].some((scheme) => URL.parse(`${scheme}://${value}/`)?.host === value)) return;
  const host = (URL.parse(value) ?? URL.parse(`http://${value}`))?.host ?? "";
  const like = host === "" ? "auth.example" : host;
  throw invalidValue(name, `a host in lower case, without scheme and path, such as "${like}"`, value);
}

/** Checks the name of a process. `"*"` stands for any process where `mayBeAny` holds. */
export function checkProcessName(
  name: string,
  known: readonly string[],
  mayBeAny: boolean,
  value: string,
): void {
  if (known.includes(value) || (mayBeAny && value === "*")) return;
  const all = known.length === 0 ? "none yet" : known.join(", ");
  throw invalidValue(name, `a process of the world (${all})${mayBeAny ? ' or "*"' : ""}`, value);
}

/** The error for a member that an object lacks. It suggests the member that a misspelt one resembles. */
export function unknownMember(owner: string, name: string, known: readonly string[]): HoldfastError {
  const likely = likelyName(name, known);
  const hint = likely === undefined ? "" : `; did you mean ${likely}?`;
  return new HoldfastError("invalid_option", `${owner} has no "${name}"; it has ${known.join(", ")}${hint}`);
}
