/** Longer names are no claims of a token, and a limit bounds the work of a look-up. */
const MAX_PATH_LENGTH = 256;

/** Whether `value` can name a claim. */
export function isClaimPath(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= MAX_PATH_LENGTH;
}

/**
 * Reads a claim by its name or by a path such as `realm_access.roles`. A name with dots, such as
 * `https://example.com/roles`, comes first, and a longer name before a shorter one. `undefined` when the claim is absent
 * or `null`.
 */
export function claimAt(claims: object, path: string): unknown {
  const value = Object.hasOwn(claims, path) ? (claims as Record<string, unknown>)[path] : undefined;
  if (value !== undefined && value !== null) return value;
  for (let dot = path.lastIndexOf("."); dot > 0; dot = path.lastIndexOf(".", dot - 1)) {
    const name = path.slice(0, dot);
    const outer = Object.hasOwn(claims, name) ? (claims as Record<string, unknown>)[name] : undefined;
    if (typeof outer !== "object" || outer === null || Array.isArray(outer)) continue;
    const inner = claimAt(outer, path.slice(dot + 1));
    if (inner !== undefined) return inner;
  }
  return undefined;
}
