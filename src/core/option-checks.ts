import { distance } from "fastest-levenshtein";
import { HoldfastError } from "./errors.ts";

/** Describes a wrong value by its type, and by the value itself only where that cannot be a secret. */
export function describeValue(value: unknown): string {
  if (value === null || value === undefined || typeof value === "number" || typeof value === "boolean") {
    return String(value);
  }
  if (typeof value === "string") return value === "" ? "an empty string" : "a string";
  return Array.isArray(value) ? "an array" : `a value of type ${typeof value}`;
}

/** An `invalid_option` error: the option, what it must be and what it got. The message never shows a string's value. */
export function invalidOption(name: string, mustBe: string, value: unknown): HoldfastError {
  return optionError(name, mustBe, describeValue(value));
}

/** The same with a description of the value. */
export function optionError(name: string, mustBe: string, got: string): HoldfastError {
  return new HoldfastError("invalid_option", `${name} must be ${mustBe}; got ${got}`);
}

/** A longer name is too long for a misspelt option. */
const MAX_COMPARED_LENGTH = 64;

/** Throws `invalid_option` for a name outside of `known`. A misspelt option would otherwise silently mean its default. */
export function rejectUnknownOptions(owner: string, options: unknown, known: readonly string[]): void {
  requireObject(owner, options);
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) {
      const likely = likelyName(name, known);
      const hint = likely === undefined ? "" : `; did you mean ${likely}?`;
      const message = `${owner} has no option "${name}"; it has ${known.join(", ")}${hint}`;
      throw new HoldfastError("invalid_option", message);
    }
  }
  rejectOtherInstance(owner, options, known);
}

/**
 * Throws `invalid_option` for an instance of a class that has none of the options, such as a `Map` or a promise. Every
 * option would silently have its default.
 */
function rejectOtherInstance(owner: string, options: object, known: readonly string[]): void {
  const prototype: unknown = Object.getPrototypeOf(options);
  // The prototype of a plain object, of any realm, has no prototype itself.
  if (typeof prototype !== "object" || prototype === null || Object.getPrototypeOf(prototype) === null)
    return;
  if (known.some((name) => name in options)) return;
  const { name } = (prototype as { constructor?: { name?: unknown } }).constructor ?? {};
  const got = typeof name === "string" && name !== "" ? `an instance of ${name}` : "an instance of a class";
  throw optionError(owner, "an object of options", got);
}

/** The known name that a misspelt one probably means: case and at most a third of its letters differ. */
export function likelyName(name: string, known: readonly string[]): string | undefined {
  if (known.length === 0 || name.length > MAX_COMPARED_LENGTH) return undefined;
  const lower = name.toLowerCase();
  const distanceTo = (other: string) => distance(lower, other.toLowerCase());
  const likely = known.toSorted((a, b) => distanceTo(a) - distanceTo(b))[0] as string;
  return distanceTo(likely) <= Math.floor(likely.length / 3) ? likely : undefined;
}

/** Copies the options, so that an accessor of the caller's object is read once. Throws `invalid_option` for other values. */
export function copyOptions<T extends object>(owner: string, options: T): T {
  requireObject(owner, options);
  return { ...options };
}

function requireObject(owner: string, options: unknown): asserts options is object {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw invalidOption(owner, "an object of options", options);
  }
}

/** Reads a whole number within bounds. `undefined` means the default. Throws `invalid_option`. */
export function readWholeNumber(
  name: string,
  value: unknown,
  bounds: { default: number; min: number; max?: number },
): number {
  if (value === undefined) return bounds.default;
  const max = bounds.max ?? Number.MAX_SAFE_INTEGER;
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < bounds.min || value > max) {
    const range = bounds.max === undefined ? `of at least ${bounds.min}` : `from ${bounds.min} to ${max}`;
    throw invalidOption(name, `a whole number ${range}`, value);
  }
  return value;
}

/** Reads a string of at least one character. Throws `invalid_option`. */
export function readString(name: string, value: unknown): string {
  if (typeof value !== "string" || value === "") throw invalidOption(name, "a non-empty string", value);
  return value;
}

/**
 * Throws `missing_method` when `part` lacks a method, so that the mistake shows at creation and not at the first call.
 * `role` names the owner that needs the part, and `name` the option that holds it.
 */
export function requireMethods(role: string, name: string, part: unknown, methods: readonly string[]): void {
  if ((typeof part !== "object" && typeof part !== "function") || part === null) {
    throw invalidOption(`${role}: ${name}`, `an object with ${methods.join(", ")}`, part);
  }
  const missing = methods.filter((m) => typeof (part as Record<string, unknown>)[m] !== "function");
  if (missing.length > 0) {
    throw new HoldfastError(
      "missing_method",
      `${role} needs ${name} with ${missing.map((m) => `${m}()`).join(", ")}, which it lacks`,
    );
  }
}
