import type { CookieSettings } from "../core/request-token.ts";
import type { Rules } from "../core/rules.ts";
import { normalizePath } from "./normalize-path.ts";
import type { ForwardedRequest } from "./forwarded-request.ts";
import { findRule, type RuleIndex } from "./rule-index.ts";

/** One path, or one path and all paths below it. */
export interface PathPattern {
  readonly base: string;
  readonly foldedBase: string;
  readonly includesBelow: boolean;
}

export interface PathRule {
  /** `null` matches any host. */
  readonly host: string | null;
  readonly path: PathPattern;
  /** `null` matches any method. */
  readonly methods: readonly string[] | null;
  /** The rules that the token must fulfil. `null` when the path needs no token. */
  readonly requirements: Rules | null;
  /** The cookie that may hold the token. Left out when the policy names none. */
  readonly cookie?: CookieSettings;
}

/** The rules in the order of the file. The first rule that matches decides. */
export type PathPolicy = readonly PathRule[];

/**
 * The smallest and the largest `maxRevocationAgeMs` of a policy, over the rules that need a token. A rule without one leaves
 * the bound to the guard, and counts as `Infinity`.
 */
export interface RevocationAgeBounds {
  readonly narrowestMs: number;
  readonly widestMs: number;
}

/** Without a policy, the guard alone bounds the age of its view. */
export function revocationAgeBounds(policy: PathPolicy = []): RevocationAgeBounds {
  const bounds = policy.flatMap(({ requirements }) =>
    requirements === null ? [] : [requirements.maxRevocationAgeMs ?? Infinity],
  );
  const widestMs = bounds.length === 0 ? Infinity : Math.max(...bounds);
  return { narrowestMs: Math.min(widestMs, ...bounds), widestMs };
}

/** The characters of other pattern languages. A rule that means such a character percent-encodes it. */
const wildcard = /[*?()[\]|$+]|\/:/;

/** Parses the path of a rule. `null` when no request can have the path, or when the text looks like another pattern. */
export function parsePathPattern(text: string): PathPattern | null {
  const includesBelow = text.endsWith("/*");
  const literal = includesBelow ? text.slice(0, -2) : text;
  const base = includesBelow && literal === "" ? "" : normalizePath(literal);
  if (base === null || wildcard.test(literal) || (includesBelow && literal.endsWith("/"))) return null;
  return { base, foldedBase: foldPath(base), includesBelow };
}

/**
 * Returns the rule that decides, or `null` when no rule matches. A request that an application could read in several
 * ways needs the same rule for each of them: otherwise the result is `ambiguous_path` or `ambiguous_method`.
 */
export function decideRule<R extends PathRule>(
  index: RuleIndex<R>,
  { host, method, path, otherPaths = [], otherMethods = [] }: ForwardedRequest,
): R | "ambiguous_path" | "ambiguous_method" | null {
  // Nearly every request can be read in one way only.
  if (otherPaths.length === 0 && otherMethods.length === 0) {
    return matchRule(index, host, method, { path, folded: foldPath(path) });
  }
  const paths = [path, ...otherPaths].map((one) => ({ path: one, folded: foldPath(one) }));
  const rulesFor = (one: string) => paths.map((form) => matchRule(index, host, one, form));
  const [rule = null, ...others] = rulesFor(method);
  if (others.some((other) => other !== rule)) return "ambiguous_path";
  const isSame = [...new Set(otherMethods)].every((one) => rulesFor(one).every((other) => other === rule));
  return isSame ? rule : "ambiguous_method";
}

/**
 * Returns the first rule that matches, or `null`. A path may equal the path of a rule only after `foldPath`. No later
 * rule applies then, because a server behind the proxy may treat the two paths as one.
 */
function matchRule<R extends PathRule>(
  index: RuleIndex<R>,
  host: string,
  method: string,
  { path, folded }: { readonly path: string; readonly folded: string },
): R | null {
  const rule = findRule(index, host, method, folded);
  return rule !== null && isWithin(path, rule.path.base, rule.path.includesBelow) ? rule : null;
}

/** Finds the earlier rule that matches every request of a later rule with `method`. `null` stands for any method. */
export function findShadowingRule(
  earlier: PathPolicy,
  { host, path }: PathRule,
  method: string | null,
): PathRule | undefined {
  return earlier.find((first) => {
    if (first.host !== null && first.host !== host) return false;
    if (first.methods !== null && (method === null || !first.methods.includes(method))) return false;
    return (
      (first.path.includesBelow || !path.includesBelow) &&
      isWithin(path.foldedBase, first.path.foldedBase, first.path.includesBelow)
    );
  });
}

/** Paths of these characters differ only in case between servers. */
const plainPath = /^[\w\-~/]*$/;

/** Removes what only some servers distinguish: case, Unicode forms, dots and blanks at the end of a segment. */
function foldPath(path: string): string {
  if (plainPath.test(path)) return path.toUpperCase();
  return path
    .normalize("NFKC")
    .toLowerCase()
    .toUpperCase() // ſ, ı and ß have no other lower case.
    .replaceAll(/(?<![. ])[. ]+(?=\/|$)/g, ""); // The first part keeps a long run from being tried at each of its places.
}

/** Compares by segments: `/apis` is not below `/api`. */
function isWithin(path: string, base: string, below: boolean): boolean {
  if (!below || path.length === base.length) return path === base;
  return path.startsWith(base) && path[base.length] === "/";
}
