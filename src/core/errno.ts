/** The code of a system error, such as `ENOENT`. `undefined` when `error` has no code. */
export function systemErrorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}
