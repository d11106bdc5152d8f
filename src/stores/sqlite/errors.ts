import { HoldfastError } from "../../core/errors.ts";

/** Primary result codes of SQLite, https://sqlite.org/rescode.html. */
const BUSY = 5;
const LOCKED = 6;
const CORRUPT = 11;
const NOTADB = 26;

/** The names of the primary codes that a working program can meet. */
const codeNames: Readonly<Record<number, string>> = {
  [BUSY]: "BUSY",
  [LOCKED]: "LOCKED",
  7: "NOMEM",
  8: "READONLY",
  10: "IOERR",
  [CORRUPT]: "CORRUPT",
  13: "FULL",
  14: "CANTOPEN",
  15: "PROTOCOL",
  17: "SCHEMA",
  [NOTADB]: "NOTADB",
};

/**
 * Returns the primary result code, which is the low byte of an extended one. `undefined` for an error of another kind.
 */
function readResultCode(error: unknown): number | undefined {
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  return code === "ERR_SQLITE_ERROR" && typeof errcode === "number" ? errcode & 0xff : undefined;
}

/** Whether the error says that another connection holds the lock. */
export function isBusy(error: unknown): boolean {
  const code = readResultCode(error);
  return code === BUSY || code === LOCKED;
}

/**
 * Converts an error of SQLite or the file system into a `HoldfastError` that names the store. Returns other errors
 * unchanged.
 */
export function toStoreError(description: string, error: unknown): unknown {
  const code = readResultCode(error);
  const system = error instanceof Error && "syscall" in error;
  if (code === undefined && !system) return error;
  const corrupt = code === CORRUPT || code === NOTADB;
  const detail = system
    ? String((error as { code?: unknown }).code)
    : `SQLITE_${codeNames[code ?? 0] ?? code}, ${(error as Error).message}`;
  return corrupt
    ? new HoldfastError(
        "store_corrupt",
        `${description} is damaged or not a database (${detail}): restore a backup`,
        {
          cause: error,
        },
      )
    : new HoldfastError("store_unavailable", `${description} cannot be used: ${detail}`, { cause: error });
}
