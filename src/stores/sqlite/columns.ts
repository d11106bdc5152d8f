/*
 * Every statement names its columns. A newer process may add a column to a table while this process runs, and a
 * statement that names its columns keeps its meaning.
 */

/** The names as a list in SQL. Each one is quoted, because some are keywords. */
function listColumns(columns: readonly string[]): string {
  return columns.map((column) => `"${column}"`).join(", ");
}

/** The statement that inserts one row, with a parameter for each column. */
export function insertInto(table: string, columns: readonly string[]): string {
  return `INSERT INTO ${table} (${listColumns(columns)}) VALUES (${columns.map(() => "?").join(", ")})`;
}

/** The statement that reads these columns of the table. The caller appends the condition and the order. */
export function selectFrom(table: string, columns: readonly string[]): string {
  return `SELECT ${listColumns(columns)} FROM ${table}`;
}

export const USER_COLUMNS = [
  "username",
  "subject",
  "passwordHash",
  "scopes",
  "createdAt",
  "mac",
  "loginKey",
  "disabledAt",
] as const;
export const CUTOFF_COLUMNS = ["subject", "at", "before", "until", "number"] as const;
export const KEY_COLUMNS = ["kid", "algorithm", "sealed", "createdAt", "activatedAt", "retiredAt"] as const;
export const REVOCATION_COLUMNS = [
  "seq",
  "chain",
  "at",
  "issuer",
  "kind",
  "id",
  "before",
  "until",
  "number",
] as const;
export const AUDIT_COLUMNS = ["at", "kind", "subject", "session", "source", "actor", "detail"] as const;
export const MARKER_COLUMNS = ["name", "value"] as const;
