import { HoldfastError } from "../../core/errors.ts";
import { invalidOption, readString, rejectUnknownOptions } from "../../core/options.ts";

/**
 * A family of issuers, such as the tenants of one provider. `tenants` makes it; it stands in place of `issuer`.
 */
export interface IssuerPattern {
  readonly kind: "tenants";
  /** The pattern as it was given. It names the family in status, events and errors. */
  readonly pattern: string;
  /** Every issuer of the family. `null` when a placeholder takes any value. */
  readonly issuers: readonly string[] | null;
  /** Whether the family has an issuer of this exact name. */
  includes(issuer: string): boolean;
}

/** The values that a placeholder takes. */
export type PlaceholderValues = readonly string[] | "any";

/** Each listed issuer has a key set in memory, so `"any"` or `issuerFor` suits a longer list better. */
const MAX_LISTED = 1_000;
/** A family does not include a longer `iss`. */
export const MAX_ISSUER_LENGTH = 512;
const MAX_VALUE_LENGTH = 128;

const parts = /^(https?:\/\/)([^/?#\\@\s]+)(\/[^?#\\\s]*)?$/;
const placeholder = /\{([A-Za-z_]\w*)\}/;
/** A segment of a path, or a part of one. `.` and `..` would name another path. */
const pathValue = `(?!\\.{1,2}(?:[/]|$))[A-Za-z0-9._~-]{1,${MAX_VALUE_LENGTH}}`;
/** One label of a host name (RFC 1123 §2.1). */
const hostValue = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";

/**
 * The issuers of the tenants of one provider. Each `{name}` in the pattern stands for one of the listed values, or for
 * any value. Listed tenants are trusted issuers as if each stood in `issuers`. The keys of any other tenant are fetched
 * when its first token arrives. Made-up tenants do not take the place of known ones.
 *
 * A placeholder stands for a segment of the path or a part of one, or for a whole label of the host. Throws
 * `invalid_option`.
 *
 * @example
 * ```ts
 * import { createGuard, tenants } from "holdfast";
 *
 * export const guard = createGuard({
 *   issuer: tenants("https://login.microsoftonline.com/{tid}/v2.0", {
 *     tid: ["8d4c2fd9-0c7c-4a7b-8f0a-5b1c7f1f3f55", "1b7e9c7a-53a5-4f39-9a0f-0d7f0d8a2a10"],
 *   }),
 *   audience: "6e74172b-be56-4843-9ff4-e66a39bb12e3",
 * });
 * ```
 */
export function tenants(pattern: string, values: Readonly<Record<string, PlaceholderValues>>): IssuerPattern {
  const template = readPattern(pattern);
  rejectUnknownOptions("tenants", values, template.names);
  const allowed = template.names.map((name) => readValues(template, name, values[name]));
  const issuers = allowed.every((one) => one !== "any") ? combine(template, allowed) : null;
  const listed = allowed.map((one) => (one === "any" ? null : new Set(one)));
  return {
    kind: "tenants",
    pattern,
    issuers,
    includes(issuer) {
      const found = issuer.length > MAX_ISSUER_LENGTH ? null : template.matcher.exec(issuer);
      return found !== null && listed.every((set, index) => set === null || set.has(found[index + 1] ?? ""));
    },
  };
}

export function isIssuerPattern(value: unknown): value is IssuerPattern {
  return Object(value) === value && (value as Partial<IssuerPattern>).kind === "tenants";
}

/** A pattern, split at its placeholders. */
interface Template {
  /** The texts around the placeholders. One more than there are names. */
  readonly texts: readonly string[];
  readonly names: readonly string[];
  /** The expression that a value of each placeholder matches. */
  readonly forms: readonly string[];
  /** Captures the value of each placeholder. */
  readonly matcher: RegExp;
}

function readPattern(pattern: unknown): Template {
  const text = readString("tenants: pattern", pattern);
  const fail = (mustBe: string) => invalidOption("tenants: pattern", mustBe, pattern);
  const [, scheme = "", host = "", path = ""] = parts.exec(text) ?? [];
  const split = text.split(new RegExp(placeholder, "g"));
  const texts = split.filter((_, index) => index % 2 === 0);
  const names = split.filter((_, index) => index % 2 === 1);
  if (scheme === "" || names.length === 0 || /[{}*]/.test(texts.join(""))) {
    throw fail("an http or https URL without query and fragment, with a placeholder such as {tid}");
  }
  if (new Set(names).size < names.length || texts.slice(1, -1).includes("")) {
    throw fail("a URL in which each placeholder has its own name and a text between it and the next one");
  }
  const labels = host.split(".");
  const hasPartialLabel = labels.some((label) => /[{}]/.test(label) && label.replace(placeholder, "") !== "");
  // A placeholder for the last labels would trust every domain of the world.
  if (hasPartialLabel || labels.slice(-2).some((label) => /[{}]/.test(label))) {
    throw fail("a URL whose host has placeholders for whole labels only, before at least two fixed labels");
  }
  if (URL.parse(`${scheme}${host.replaceAll(/\{\w+\}/g, "x")}${path.replaceAll(/\{\w+\}/g, "x")}`) === null) {
    throw fail("a valid URL once its placeholders have values");
  }
  const inHost = host.split("{").length - 1;
  const forms = names.map((_, index) => (index < inHost ? hostValue : pathValue));
  const source = texts.map((part, index) => {
    const value = index < names.length ? `(${forms[index]})` : "";
    return part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&") + value;
  });
  return { texts, names, forms, matcher: new RegExp(`^${source.join("")}$`) };
}

function readValues({ names, forms }: Template, name: string, value: unknown): PlaceholderValues {
  if (value === "any") return value;
  const form = new RegExp(`^${forms[names.indexOf(name)]}$`);
  const isValue = (one: unknown) => typeof one === "string" && form.test(one);
  if (!Array.isArray(value) || value.length === 0 || !value.every(isValue)) {
    throw invalidOption(`tenants: ${name}`, '"any" or a list of values that a URL has in this place', value);
  }
  return [...new Set(value as string[])];
}

/** Every issuer that the listed values make. */
function combine({ texts, names }: Template, allowed: readonly PlaceholderValues[]): readonly string[] {
  const count = allowed.reduce((product, values) => product * values.length, 1);
  if (count > MAX_LISTED) {
    const message = `tenants must list at most ${MAX_LISTED} issuers; got ${count}. Use "any" or issuerFor`;
    throw new HoldfastError("invalid_option", message);
  }
  let issuers = [texts[0] ?? ""];
  for (const [index] of names.entries()) {
    const values = allowed[index] as readonly string[];
    issuers = issuers.flatMap((start) => values.map((value) => start + value + (texts[index + 1] ?? "")));
  }
  return issuers;
}
