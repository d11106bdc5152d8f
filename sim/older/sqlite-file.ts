import { DatabaseSync } from "node:sqlite";

/** How long after a rotation the first version gave the successor of the token before last again, ms. */
const GRACE_MS = 30_000;

/** Each brings a file from the version at its index, plus 1, one version back. It is the reverse of a migration. */
const REVERSALS: readonly string[] = [
  `DROP INDEX users_loginKey;
  ALTER TABLE users DROP COLUMN loginKey;
  ALTER TABLE users DROP COLUMN disabledAt;
  ALTER TABLE audit DROP COLUMN actor;
  DELETE FROM markers WHERE name IN ('loginNames', 'loginNamesSince');`,

  // The version before did not know whether a successor had arrived.
  `ALTER TABLE sessions ADD COLUMN olderGraceEndsAt INTEGER;
  UPDATE sessions SET olderGraceEndsAt = previousArrivedAt + ${GRACE_MS};
  UPDATE sessions SET lostAnswerEndsAt = min(lostAnswerEndsAt, arrivedAt) WHERE arrivedAt IS NOT NULL;
  ALTER TABLE sessions DROP COLUMN idleMs;
  ALTER TABLE sessions DROP COLUMN rolledBackAt;
  ALTER TABLE sessions DROP COLUMN previousArrivedAt;
  ALTER TABLE sessions DROP COLUMN arrivedAt;
  ALTER TABLE sessions RENAME COLUMN wasRepeated TO graceHit;
  ALTER TABLE sessions RENAME COLUMN repeatStreak TO graceStreak;
  ALTER TABLE sessions RENAME COLUMN lostAnswerEndsAt TO graceEndsAt;`,

  `DROP INDEX sessions_open;`,

  `ALTER TABLE log DROP COLUMN lastCutoff;
  ALTER TABLE cutoffs DROP COLUMN number;
  ALTER TABLE revocations DROP COLUMN number;`,

  `DROP TABLE attempts;`,
];

/**
 * Turns a file of this version into one of an earlier version of the schema. No other process may have it open. A user who
 * is disabled and a session that was found to have gone back need the second and the third version.
 */
export function writeOlderSqliteFile(file: string, schema: number): void {
  const db = new DatabaseSync(file);
  try {
    const count = (table: string, column: string) =>
      Number(db.prepare(`SELECT count(*) AS rows FROM ${table} WHERE ${column} IS NOT NULL`).get()?.["rows"]);
    const version = Number(db.prepare("PRAGMA user_version").get()?.["user_version"]);
    // The process has not created its store yet, or has not converted it.
    if (version !== REVERSALS.length + 1) return;
    const lowest = count("sessions", "rolledBackAt") > 0 ? 3 : count("users", "disabledAt") > 0 ? 2 : 1;
    const reached = Math.max(schema, lowest);
    db.exec("BEGIN");
    for (const reversal of REVERSALS.slice(reached - 1).toReversed()) db.exec(reversal);
    db.exec(`PRAGMA user_version = ${reached}; COMMIT`);
  } finally {
    db.close();
  }
}
