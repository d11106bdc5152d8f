import { aboutDamagedSession } from "../core/damaged-session.ts";
import { HoldfastError } from "../core/errors.ts";
import type { UserRecord } from "./user-store.ts";

/** Stands for a user whose record cannot be read, apart from the name. Its empty MAC is never valid. */
export const DAMAGED_USER: Omit<UserRecord, "username"> = {
  subject: "",
  passwordHash: "",
  scopes: [],
  createdAt: 0,
  mac: "",
  loginKey: null,
  disabledAt: null,
};

/** The error for a record that cannot be read. `record` says which one, without its content. */
export function damagedRecord(store: string, record: string): HoldfastError {
  return new HoldfastError("store_corrupt", `${store}: the record of ${record} is damaged`);
}

/** The error for a session whose record cannot be read. */
export function damagedSession(store: string, id: string): HoldfastError {
  return aboutDamagedSession(damagedRecord(store, `session ${id}`), id);
}

/** Returns the user when its members have the types of a user. Throws `store_corrupt`. */
export function requireUser(store: string, user: UserRecord): UserRecord {
  const { username, subject, passwordHash, mac, scopes, createdAt, loginKey, disabledAt } = user;
  const texts: readonly unknown[] = [
    username,
    subject,
    passwordHash,
    mac,
    loginKey ?? "",
    ...[scopes].flat(),
  ];
  const numbers: readonly unknown[] = [createdAt, disabledAt ?? 0];
  const isUser =
    Array.isArray(scopes) &&
    texts.every((text) => typeof text === "string") &&
    numbers.every((number) => typeof number === "number");
  if (!isUser) throw damagedRecord(store, "a user");
  return user;
}

/** Parses the JSON of a record. Throws `store_corrupt` for JSON that has neither an object nor an array. */
export function parseRecord(store: string, record: string, text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value;
  } catch {
    // The message of the parser quotes the text, which can be secret.
  }
  throw damagedRecord(store, record);
}
