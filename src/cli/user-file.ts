import { HoldfastError } from "../core/errors.ts";
import type { Service } from "../server/service.ts";

type ImportedUser =
  Parameters<Service["issuer"]["users"]["import"]>[0] extends Iterable<infer User> ? User : never;

/** The columns of a CSV file, and the members of a JSON line. */
const MEMBERS = ["username", "password_hash", "scope", "disabled"] as const;
type Fields = Partial<Record<(typeof MEMBERS)[number], unknown>>;

/**
 * Reads users from JSON lines, or from CSV with a header (RFC 4180, or with semicolons or tabs). Throws `invalid_option`
 * with the number of each line that cannot be read, and without its content.
 */
export function parseUserFile(text: string): ImportedUser[] {
  const problems: string[] = [];
  const content = text.replace(/^\uFEFF/, "");
  const rows = content.trimStart().startsWith("{")
    ? parseJsonLines(content, problems)
    : parseCsv(content, problems);
  const users = rows.map(([line, fields]) => toUser(line, fields, problems));
  if (problems.length === 0) return users;
  const more = problems.length > 20 ? [`and ${problems.length - 20} more`] : [];
  throw new HoldfastError(
    "invalid_option",
    ["no user was imported", ...problems.slice(0, 20), ...more].join("\n"),
  );
}

type Rows = (readonly [line: number, fields: Fields])[];

function toUser(line: number, fields: Fields, problems: string[]): ImportedUser {
  const { username, password_hash: passwordHash, scope = "", disabled = false } = fields;
  const isFlag = ["", "true", "false", true, false].includes(disabled as string);
  if (typeof scope !== "string") problems.push(`line ${line}: scope must be scopes separated by blanks`);
  if (!isFlag) problems.push(`line ${line}: disabled must be true or false`);
  return {
    line,
    // The issuer refuses other types than strings, by line.
    username: username as string,
    passwordHash: passwordHash as string,
    scopes: (typeof scope === "string" ? scope : "").split(" ").filter((one) => one !== ""),
    disabled: disabled === true || disabled === "true",
  };
}

function parseJsonLines(text: string, problems: string[]): Rows {
  return text.split("\n").flatMap((content, index): Rows => {
    if (content.trim() === "") return [];
    let value: unknown;
    try {
      value = JSON.parse(content);
    } catch {
      value = null;
    }
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      problems.push(`line ${index + 1}: must be a JSON object`);
      return [];
    }
    const stranger = Object.keys(value).find((name) => !(MEMBERS as readonly string[]).includes(name));
    if (stranger !== undefined)
      problems.push(`line ${index + 1}: may have ${MEMBERS.join(", ")}, and nothing else`);
    return [[index + 1, value]];
  });
}

function parseCsv(text: string, problems: string[]): Rows {
  const end = text.search(/[\r\n]|$/);
  const separator = [",", ";", "\t"].find((one) => text.slice(0, end).includes(one)) ?? ",";
  const [header, ...records] = readRecords(text, separator);
  const columns = header?.fields.map((name) => name.trim()) ?? [];
  const isKnown = columns.every((name) => (MEMBERS as readonly string[]).includes(name));
  if (!isKnown || !columns.includes("username") || !columns.includes("password_hash")) {
    problems.push(
      `line 1: must name the columns username and password_hash, and may name scope and disabled`,
    );
    return [];
  }
  return records.flatMap(({ line, fields }): Rows => {
    if (fields.length === columns.length) {
      return [[line, Object.fromEntries(columns.map((name, index) => [name, fields[index]]))]];
    }
    const hint = fields.length > columns.length ? "; a field that contains the separator needs quotes" : "";
    problems.push(`line ${line}: has ${fields.length} fields and needs ${columns.length}${hint}`);
    return [];
  });
}

/** Splits CSV into records. A quoted field may contain separators, line breaks and doubled quotes. */
function readRecords(text: string, separator: string): { line: number; fields: string[] }[] {
  const pattern = new RegExp(
    `(?:"((?:[^"]|"")*)"|([^"\\r\\n${separator}][^\\r\\n${separator}]*)?)(${separator}|\\r?\\n|$)`,
    "y",
  );
  const records: { line: number; fields: string[] }[] = [];
  let fields: string[] = [];
  let [line, start] = [1, 1];
  while (pattern.lastIndex < text.length) {
    const match = pattern.exec(text);
    if (match === null)
      throw new HoldfastError("invalid_option", `line ${line}: a quotation mark is out of place`);
    const [all, quoted, plain = "", terminator] = match;
    fields.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    line += all.split("\n").length - 1;
    if (terminator === separator && pattern.lastIndex < text.length) continue;
    if (terminator === separator) fields.push("");
    if (fields.length > 1 || fields[0] !== "") records.push({ line: start, fields });
    [fields, start] = [[], line];
  }
  return records;
}
