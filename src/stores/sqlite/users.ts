import { DAMAGED_USER, parseRecord, requireUser } from "../damaged-record.ts";
import type { UserRecord, UserStore } from "../user-store.ts";
import { insertInto, selectFrom, USER_COLUMNS } from "./columns.ts";
import type { SqliteConnection } from "./connection.ts";

export function createUserStore(db: SqliteConnection): UserStore {
  const select = selectFrom("users", USER_COLUMNS);
  const byName = db.prepare(`${select} WHERE username = ?`);
  const byLoginKey = db.prepare(`${select} WHERE loginKey = ? ORDER BY username LIMIT 1`);
  const bySubject = db.prepare(`${select} WHERE subject = ?`);
  const subjectByName = db.prepare("SELECT subject FROM users WHERE username = ?");
  const page = db.prepare(`${select} WHERE username > ? ORDER BY username LIMIT ?`);
  const any = db.prepare("SELECT 1 FROM users LIMIT 1");
  const insert = db.prepare(`${insertInto("users", USER_COLUMNS)} ON CONFLICT DO NOTHING`);
  const update = db.prepare(
    `UPDATE users SET passwordHash = ?, scopes = ?, createdAt = ?, mac = ?, loginKey = ?, disabledAt = ?
      WHERE username = ? AND subject = ? AND mac = ?`,
  );
  const remove = db.prepare("DELETE FROM users WHERE username = ? AND mac = ?");
  const removeDamaged = db.prepare("DELETE FROM users WHERE username = ?");
  return {
    add: async (user, { onlyFirst = false } = {}) =>
      await db.write(() => {
        if (onlyFirst && any.get() !== undefined) return "exists";
        const { username, loginKey, subject, passwordHash, scopes, createdAt, disabledAt, mac } = user;
        if (loginKey !== null && byLoginKey.get(loginKey) !== undefined) return "exists";
        const row = [username, subject, passwordHash, JSON.stringify(scopes), createdAt, mac];
        return insert.run(...row, loginKey, disabledAt).changes === 1 ? "added" : "exists";
      }),
    get: async (username) => await db.read(() => toUser(byName.get(username))),
    getByLoginKey: async (loginKey) => await db.read(() => toUser(byLoginKey.get(loginKey))),
    getBySubject: async (subject) => await db.read(() => toUser(bySubject.get(subject))),
    subjectOf: async (username) =>
      await db.read(() => {
        const { subject } = (subjectByName.get(username) ?? {}) as { subject?: unknown };
        return typeof subject === "string" ? subject : null;
      }),
    replace: async (user, expectedMac) =>
      await db.write(() => {
        const { username, loginKey, subject, passwordHash, scopes, createdAt, disabledAt, mac } = user;
        const row = [passwordHash, JSON.stringify(scopes), createdAt, mac, loginKey, disabledAt];
        return update.run(...row, username, subject, expectedMac).changes === 1 ? "replaced" : "stale";
      }),
    remove: async (username, expectedMac) =>
      await db.write(() => {
        if (expectedMac !== "") return remove.run(username, expectedMac).changes === 1 ? "removed" : "stale";
        const row = byName.get(username);
        if (row === undefined || toListedUser(row).mac !== "") return "stale";
        removeDamaged.run(username);
        return "removed";
      }),
    list: async ({ after = "", limit }) => await db.read(() => page.all(after, limit).map(toListedUser)),
  };
}

/** Throws `store_corrupt` when the scopes cannot be read. The types of the other columns are those of the table. */
export function toUser(row: object | undefined): UserRecord | null {
  if (row === undefined) return null;
  const user = row as Omit<UserRecord, "scopes"> & { scopes: string };
  const scopes = parseRecord("SQLite", "a user", user.scopes) as string[];
  return requireUser("SQLite", { ...user, scopes });
}

/** A damaged record takes its place in the page, because a shorter page is the last one. It never has a valid MAC. */
function toListedUser(row: object): UserRecord {
  try {
    return toUser(row) as UserRecord;
  } catch {
    return { username: (row as UserRecord).username, ...DAMAGED_USER };
  }
}
