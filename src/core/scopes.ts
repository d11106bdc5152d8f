/** Whether `text` is one `scope-token` (RFC 6749 §3.3). */
export function isScopeToken(text: unknown): boolean {
  return typeof text === "string" && /^[\x21\x23-\x5B\x5D-\x7E]+$/.test(text);
}

/**
 * The scopes to grant: the requested ones, or all allowed scopes when the request names none. `null` when the request
 * exceeds what is allowed.
 */
export function narrowScope(
  allowed: readonly string[],
  requested: readonly string[] | undefined,
): readonly string[] | null {
  if (requested === undefined) return allowed;
  return requested.every((scope) => allowed.includes(scope))
    ? allowed.filter((s) => requested.includes(s))
    : null;
}
