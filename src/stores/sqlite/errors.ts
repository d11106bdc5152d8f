import { HoldfastError } from "../../core/errors.ts";

/** Primary result codes of SQLite, https://sqlite.org/rescode.html. */
const BUSY = 5;
const LOCKED = 6;
const CORRUPT = 11;
const NOTADB = 26;

/** The primary code: the low byte of an extended one. `undefined` when the error is not SQLite's. */
function readResultCode(error: unknown): number | undefined {
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  return code === "ERR_SQLITE_ERROR" && typeof errcode === "number" ? errcode & 0xff : undefined;
}

/** Another connection holds the lock: worth trying again. */
export function isBusy(error: unknown): boolean {
  const code = readResultCode(error);
  return code === BUSY || code === LOCKED;
}

/** What SQLite or the file system refused, as an error of ours that names the store; any other error as it is. */
export function toStoreError(description: string, error: unknown): unknown {
  const code = readResultCode(error);
  const system = error instanceof Error && "syscall" in error;
  if (code === undefined && !system) return error;
  const corrupt = code === CORRUPT || code === NOTADB;
  const detail = system ? String((error as { code?: unknown }).code) : (error as Error).message;
  return corrupt
    ? new HoldfastError(
        "store_corrupt",
        `${description} is damaged or no database (${detail}): restore a back-up`,
        {
          cause: error,
        },
      )
    : new HoldfastError("store_unavailable", `${description} cannot be used: ${detail}`, { cause: error });
}
