import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";

/*
 * This process reads a data file for the doctor. A file system that hangs then blocks this process, which can be killed, and
 * not the report.
 */

/** The contents that are read before the pages are checked. */
export interface SqliteFacts {
  readonly kind: "facts";
  readonly markers: readonly (readonly [name: string, value: string])[];
}

export type SqliteMessage =
  | SqliteFacts
  /** `result` is `ok`, or the first damage. */
  | { readonly kind: "checked"; readonly result: string }
  | { readonly kind: "failed"; readonly code: number | null; readonly message: string };

function report(message: SqliteMessage): void {
  process.send?.(message);
}

/**
 * Opens the file for reading. A reader of a file in WAL mode makes two companion files, which another user could not
 * write to. So a file without companions, which no process has open, is read as it is.
 */
function openForReading(file: string): DatabaseSync {
  if (existsSync(`${file}-wal`)) return new DatabaseSync(file, { readOnly: true, timeout: 1000 });
  const url = pathToFileURL(file);
  url.search = "?mode=ro&immutable=1";
  return new DatabaseSync(url, { readOnly: true });
}

function readFile(file: string): void {
  try {
    const db = openForReading(file);
    const rows = db.prepare("SELECT name, value FROM markers").all();
    const markers = rows.map(({ name, value }) => [String(name), String(value)] as const);
    report({ kind: "facts", markers });
    const result = db.prepare("PRAGMA quick_check(1)").get()?.["quick_check"];
    report({ kind: "checked", result: String(result) });
    db.close();
  } catch (error) {
    const { errcode, message } = error as { errcode?: unknown; message?: unknown };
    report({
      kind: "failed",
      code: typeof errcode === "number" ? errcode & 0xff : null,
      message: String(message),
    });
  }
  process.disconnect?.();
}

process.once("message", (file) => readFile(String(file)));
