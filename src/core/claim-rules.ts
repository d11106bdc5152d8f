import { claimAt, isClaimPath } from "./claim-path.ts";
import { isRecord } from "./json.ts";
import { invalidOption, rejectUnknownOptions } from "./option-checks.ts";
import { invalidValue } from "./option-values.ts";

/** A value that a claim may have. `null` accepts a token without the claim. */
export type ClaimValue = string | number | boolean | null;

/** The accepted values of one claim. {@link oneOf} makes the list; in a JSON file it is `{ "oneOf": […] }`. */
export type ClaimRule = ClaimValue | { readonly oneOf: readonly ClaimValue[] };

/** A rule for each claim, by its name or by a path such as `realm_access.roles`. */
export type ClaimRules = Readonly<Record<string, ClaimRule>>;

/** The form of a claim rule's value, for errors. */
const RULE_FORM = "a non-empty string, a number, a boolean, null or oneOf(…) of these";

/**
 * Accepts several values of a claim. `null` accepts a token without the claim. Throws `invalid_option` without a value
 * and for a wrong one.
 *
 * @example
 * ```ts
 * import { createGuard, oneOf } from "holdfast";
 *
 * export const guard = createGuard({
 *   issuer: "https://id.example.com",
 *   audience: "https://api.example.com",
 *   claims: { token_use: "access", azp: oneOf("https://app.example.com", "https://admin.example.com") },
 * });
 * ```
 */
export function oneOf(...values: ClaimValue[]): { readonly oneOf: readonly ClaimValue[] } {
  const rule = { oneOf: values };
  checkRule("oneOf", rule);
  return Object.freeze({ oneOf: Object.freeze(values) });
}

/** Checks a set of claim rules. Throws `invalid_option`, naming the claim. */
export function checkClaimRules(name: string, rules: unknown): asserts rules is ClaimRules {
  if (!isRecord(rules)) throw invalidOption(name, "an object with a rule for each claim", rules);
  for (const [claim, rule] of Object.entries(rules)) {
    if (!isClaimPath(claim)) throw invalidValue(name, "rules under the names of claims", claim);
    checkRule(`${name}.${claim}`, rule);
  }
}

/** Checks a set of claim rules, and copies it so that later changes by the caller have no effect. */
export function readClaimRules(name: string, rules: unknown): ClaimRules {
  checkClaimRules(name, rules);
  const copies = Object.entries(rules).map(([claim, rule]) => [claim, copyRule(rule)] as const);
  // Unlike an assignment, this keeps a claim that is named like a member of every object.
  return Object.freeze(Object.fromEntries(copies));
}

/** A claim whose value the rules refuse. */
export interface WrongClaim {
  readonly claim: string;
  readonly accepted: readonly ClaimValue[];
  /** `undefined` when the token lacks the claim. */
  readonly value: unknown;
}

/**
 * Finds the first claim that the rules refuse. A claim with several values needs one accepted value.
 *
 * @param defersAbsent Whether an absent claim passes, because an authority may add it.
 */
export function findWrongClaim(claims: object, rules: ClaimRules, defersAbsent = false): WrongClaim | null {
  for (const [claim, rule] of Object.entries(rules)) {
    const value = claimAt(claims, claim);
    if (value === undefined && defersAbsent) continue;
    const accepted = typeof rule === "object" && rule !== null ? rule.oneOf : [rule];
    const values: unknown[] = Array.isArray(value) ? value : [value ?? null];
    if (!values.some((one) => accepted.includes(one as ClaimValue))) return { claim, accepted, value };
  }
  return null;
}

function copyRule(rule: ClaimRule): ClaimRule {
  if (typeof rule !== "object" || rule === null) return rule;
  return Object.freeze({ oneOf: Object.freeze([...rule.oneOf]) });
}

function checkRule(name: string, rule: unknown): void {
  if (isClaimValue(rule)) return;
  if (!isRecord(rule)) throw invalidValue(name, RULE_FORM, rule);
  rejectUnknownOptions(name, rule, ["oneOf"]);
  const { oneOf: values } = rule;
  if (!Array.isArray(values) || values.length === 0) {
    throw invalidOption(name, "oneOf(…) with at least one value", values);
  }
  const wrong = values.findIndex((value) => !isClaimValue(value));
  if (wrong >= 0) throw invalidOption(`${name}.oneOf[${wrong}]`, RULE_FORM, values[wrong]);
}

function isClaimValue(value: unknown): value is ClaimValue {
  if (typeof value === "number") return Number.isFinite(value);
  return value === null || typeof value === "boolean" || (typeof value === "string" && value !== "");
}
