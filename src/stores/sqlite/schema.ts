import type { DatabaseSync } from "node:sqlite";
import { HoldfastError } from "../../core/errors.ts";

/** "Hold" in ASCII. It distinguishes a store from the database of another program. */
const APPLICATION_ID = 0x486f6c64;

/**
 * Each migration brings the schema from the version at its index to the next one. A released migration never changes.
 */
export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE users (
    username TEXT PRIMARY KEY, subject TEXT NOT NULL UNIQUE, passwordHash TEXT NOT NULL,
    scopes TEXT NOT NULL, createdAt INTEGER NOT NULL, mac TEXT NOT NULL
  ) STRICT;

  CREATE TABLE sessions (
    id TEXT PRIMARY KEY, subject TEXT NOT NULL, authAt INTEGER NOT NULL, absoluteExpiresAt INTEGER NOT NULL,
    facts TEXT NOT NULL, mac TEXT NOT NULL, generation INTEGER NOT NULL, currentDigest TEXT NOT NULL,
    previousDigest TEXT, sealedSuccessor TEXT, rotatedAt INTEGER NOT NULL, graceEndsAt INTEGER,
    olderGraceEndsAt INTEGER, issuedAtS INTEGER NOT NULL, idleExpiresAt INTEGER NOT NULL,
    graceStreak INTEGER NOT NULL, graceHit INTEGER NOT NULL, endedAt INTEGER, endReason TEXT
  ) STRICT;
  CREATE INDEX sessions_subject ON sessions (subject);

  CREATE TABLE cutoffs (
    subject TEXT PRIMARY KEY, "at" INTEGER NOT NULL, "before" INTEGER NOT NULL, "until" INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE keys (
    kid TEXT PRIMARY KEY, algorithm TEXT NOT NULL, sealed TEXT NOT NULL, createdAt INTEGER NOT NULL,
    activatedAt INTEGER, retiredAt INTEGER
  ) STRICT;

  CREATE TABLE revocations (
    seq INTEGER PRIMARY KEY, chain TEXT NOT NULL, "at" INTEGER NOT NULL, issuer TEXT NOT NULL,
    kind TEXT NOT NULL, id TEXT NOT NULL, "before" INTEGER, "until" INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE log (epoch TEXT NOT NULL) STRICT;
  INSERT INTO log VALUES (lower(hex(randomblob(16))));

  CREATE TABLE audit (
    number INTEGER PRIMARY KEY, "at" INTEGER NOT NULL, kind TEXT NOT NULL, subject TEXT, session TEXT,
    source TEXT, detail TEXT
  ) STRICT;

  CREATE TABLE markers (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;`,

  `ALTER TABLE users ADD COLUMN loginKey TEXT;
  ALTER TABLE users ADD COLUMN disabledAt INTEGER;
  CREATE INDEX users_loginKey ON users (loginKey, username);
  ALTER TABLE audit ADD COLUMN actor TEXT;`,

  // An older process that still has the file open fails on its statements, because their columns are gone.
  `ALTER TABLE sessions RENAME COLUMN graceEndsAt TO lostAnswerEndsAt;
  ALTER TABLE sessions RENAME COLUMN graceStreak TO repeatStreak;
  ALTER TABLE sessions RENAME COLUMN graceHit TO wasRepeated;
  ALTER TABLE sessions ADD COLUMN arrivedAt INTEGER;
  ALTER TABLE sessions ADD COLUMN previousArrivedAt INTEGER;
  ALTER TABLE sessions ADD COLUMN rolledBackAt INTEGER;
  ALTER TABLE sessions ADD COLUMN idleMs INTEGER NOT NULL DEFAULT 0;
  UPDATE sessions SET idleMs = max(1, idleExpiresAt - rotatedAt),
    previousArrivedAt = CASE WHEN olderGraceEndsAt IS NULL THEN NULL
      ELSE max(rotatedAt, olderGraceEndsAt - 30000) END;
  ALTER TABLE sessions DROP COLUMN olderGraceEndsAt;`,

  // Ended sessions stay for weeks, so the list of the sessions in use must not read them.
  `CREATE INDEX sessions_open ON sessions (subject, authAt DESC, id) WHERE endedAt IS NULL;`,
  // Entries of the log from before keep `null`, and guards compare `iat` with their `before`.
  `ALTER TABLE revocations ADD COLUMN number INTEGER;
  ALTER TABLE cutoffs ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
  UPDATE cutoffs SET number = "at";
  ALTER TABLE log ADD COLUMN lastCutoff INTEGER NOT NULL DEFAULT 0;
  UPDATE log SET lastCutoff = coalesce((SELECT max("at") FROM cutoffs), 0);`,
  `CREATE TABLE attempts (
    number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, count INTEGER NOT NULL, endsAt INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX attempts_endsAt ON attempts (endsAt);`,
];

/** The version of the schema that this code reads and writes. */
export const SCHEMA_VERSION: number = MIGRATIONS.length;

function pragma(db: DatabaseSync, name: string): number {
  return Number(db.prepare(`PRAGMA ${name}`).get()?.[name]);
}

/** The error for a file with a newer schema than this code knows. */
export function newerSchemaError(description: string, version: number): HoldfastError {
  const versions = `has schema ${version}, this version knows up to ${SCHEMA_VERSION}`;
  return new HoldfastError("store_newer", `${description} was written by a newer version: it ${versions}`);
}

/** Throws unless the file is empty, or an undamaged store of a known version. It reads the whole file. */
export function checkFile(db: DatabaseSync, description: string): void {
  const version = pragma(db, "user_version");
  const schema = db.prepare("SELECT count(*) AS tables FROM sqlite_schema").get();
  if (pragma(db, "application_id") !== APPLICATION_ID && (version !== 0 || schema?.["tables"] !== 0)) {
    throw new HoldfastError("store_corrupt", `${description} is a database of another program`);
  }
  if (version > SCHEMA_VERSION) throw newerSchemaError(description, version);
  const result = db.prepare("PRAGMA quick_check(1)").get()?.["quick_check"];
  if (result !== "ok")
    throw new HoldfastError(
      "store_corrupt",
      `${description} is damaged (${String(result)}): restore a backup`,
    );
}

/**
 * Migrates the schema in one transaction. When several processes open the file, the first one migrates it. A test passes
 * the `migrations` of an older or a later version.
 */
export function migrate(
  db: DatabaseSync,
  migrations: readonly string[] = MIGRATIONS,
  newEpoch?: string,
): void {
  if (pragma(db, "user_version") >= migrations.length) return;
  db.exec("BEGIN IMMEDIATE");
  try {
    const version = pragma(db, "user_version");
    for (const migration of migrations.slice(version)) db.exec(migration);
    if (version === 0 && newEpoch !== undefined) db.prepare("UPDATE log SET epoch = ?").run(newEpoch);
    // A newer process may have migrated the file before this transaction began, and its version must stay.
    const reached = Math.max(version, migrations.length);
    db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${reached}; COMMIT`);
  } catch (error) {
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
}
