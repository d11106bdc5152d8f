/** One `scope-token` (RFC 6749 §3.3). */
export function isScope(text: unknown): boolean {
  return typeof text === "string" && /^[\x21\x23-\x5B\x5D-\x7E]+$/.test(text);
}

/** What is granted of `allowed`: all of it unless something was asked for; `null` when that is more. Never widens. */
export function narrowed(
  allowed: readonly string[],
  asked: readonly string[] | undefined,
): readonly string[] | null {
  if (asked === undefined) return allowed;
  return asked.every((scope) => allowed.includes(scope)) ? allowed.filter((s) => asked.includes(s)) : null;
}
