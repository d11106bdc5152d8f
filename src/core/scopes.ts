/** One `scope-token` (RFC 6749 §3.3). */
export function isScopeToken(text: unknown): boolean {
  return typeof text === "string" && /^[\x21\x23-\x5B\x5D-\x7E]+$/.test(text);
}

/** What is granted of `allowed`: all of it unless something was asked for; `null` when that is more. Never widens. */
export function narrowScope(
  allowed: readonly string[],
  requested: readonly string[] | undefined,
): readonly string[] | null {
  if (requested === undefined) return allowed;
  return requested.every((scope) => allowed.includes(scope))
    ? allowed.filter((s) => requested.includes(s))
    : null;
}
