import type { Rules } from "../core/rules.ts";
import { normalizePath } from "./normalize-path.ts";
import type { ForwardedRequest } from "./forwarded-request.ts";

/** One path, or with `/*` at its end that path and all below it. */
export interface PathPattern {
  readonly base: string;
  readonly foldedBase: string;
  readonly includesBelow: boolean;
}

export interface PathRule {
  /** `null`: any. */
  readonly host: string | null;
  readonly path: PathPattern;
  /** `null`: any. */
  readonly methods: readonly string[] | null;
  /** What is asked of the token; `null` where nobody is asked for one. */
  readonly requirements: Rules | null;
}

/** In the file's order: the first rule that matches decides. */
export type PathPolicy = readonly PathRule[];

/** What other programs write patterns with; a rule that means the character itself escapes it. */
const wildcard = /[*?()[\]|$+]|\/:/;

/** Reads a path of the policy; `null` for one that no request could have, or whose author thinks of a pattern. */
export function parsePathPattern(text: string): PathPattern | null {
  const below = text.endsWith("/*");
  const literal = below ? text.slice(0, -2) : text;
  const base = below && literal === "" ? "" : normalizePath(literal);
  if (base === null || wildcard.test(literal) || (below && literal.endsWith("/"))) return null;
  return { base, foldedBase: foldPath(base), includesBelow: below };
}

/**
 * The rule that decides, or `null`: none does. A path that differs from the first match only in what `fold` takes away
 * is not matched by any later rule either, because what is behind the proxy may not tell the two apart.
 */
export function findRule<R extends PathRule>(
  policy: readonly R[],
  { host, method, path }: ForwardedRequest,
): R | null {
  const folded = foldPath(path);
  for (const rule of policy) {
    if (rule.host !== null && rule.host !== host) continue;
    if (rule.methods !== null && !rule.methods.includes(method)) continue;
    if (!isWithin(folded, rule.path.foldedBase, rule.path.includesBelow)) continue;
    return isWithin(path, rule.path.base, rule.path.includesBelow) ? rule : null;
  }
  return null;
}

/** The first earlier rule that leaves a later one nothing of `method`; `null`: every method that a rule does not list. */
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

/** Without what some tell apart and others do not: case, spellings of Unicode, dots and blanks that end a segment. */
function foldPath(path: string): string {
  return path
    .normalize("NFKC")
    .toLowerCase()
    .toUpperCase() // Of ſ, ı and ß, which have no other lower case.
    .replaceAll(/[. ]+(?=\/|$)/g, "");
}

/** Borders are those of segments: `/api/*` has nothing to do with `/apis`. */
function isWithin(path: string, base: string, below: boolean): boolean {
  if (!below || path.length === base.length) return path === base;
  return path.startsWith(base) && path[base.length] === "/";
}
