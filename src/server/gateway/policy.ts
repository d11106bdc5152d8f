import type { Rules } from "../../guard/types.ts";
import { plainPath } from "./plain-path.ts";
import type { Asked } from "./question.ts";

/** One path, or with `/*` at its end that path and all below it. */
export interface PathPattern {
  readonly base: string;
  readonly folded: string;
  readonly below: boolean;
}

export interface Rule {
  /** `null`: any. */
  readonly host: string | null;
  readonly path: PathPattern;
  /** `null`: any. */
  readonly methods: readonly string[] | null;
  /** What is asked of the token; `null` where nobody is asked for one. */
  readonly demands: Rules | null;
}

/** In the file's order: the first rule that matches decides. */
export type Policy = readonly Rule[];

/** Reads a path of the policy; `null` for one that no request could have. */
export function pathPattern(text: string): PathPattern | null {
  const below = text.endsWith("/*");
  const literal = below ? text.slice(0, -2) : text;
  const base = below && literal === "" ? "" : plainPath(literal);
  if (base === null || /[*?]/.test(literal) || (below && literal.endsWith("/"))) return null;
  return { base, folded: base.toLowerCase(), below };
}

/**
 * The rule that decides, or `null`: none does. A path that differs from the first match in case only is not matched
 * by any later rule either, because what is behind the proxy may not tell the two apart.
 */
export function findRule<R extends Rule>(policy: readonly R[], { host, method, path }: Asked): R | null {
  const folded = path.toLowerCase();
  for (const rule of policy) {
    if (rule.host !== null && rule.host !== host) continue;
    if (rule.methods !== null && !rule.methods.includes(method)) continue;
    if (!isWithin(folded, rule.path.folded, rule.path.below)) continue;
    return isWithin(path, rule.path.base, rule.path.below) ? rule : null;
  }
  return null;
}

/** The first earlier rule that leaves a later one nothing of `method`; `null`: every method that a rule does not list. */
export function shadowOf(earlier: Policy, { host, path }: Rule, method: string | null): Rule | undefined {
  return earlier.find((first) => {
    if (first.host !== null && first.host !== host) return false;
    if (first.methods !== null && (method === null || !first.methods.includes(method))) return false;
    return (first.path.below || !path.below) && isWithin(path.folded, first.path.folded, first.path.below);
  });
}

/** Borders are those of segments: `/api/*` has nothing to do with `/apis`. */
function isWithin(path: string, base: string, below: boolean): boolean {
  if (!below || path.length === base.length) return path === base;
  return path.startsWith(base) && path[base.length] === "/";
}
