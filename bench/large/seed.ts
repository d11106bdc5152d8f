import { randomBytes, randomUUID } from "node:crypto";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Revocation } from "../../src/core/revocation.ts";
import { deriveSecrets } from "../../src/issuer/secret-keys.ts";
import { addSessionMac } from "../../src/issuer/store/record-macs.ts";
import { nextEntry } from "../../src/stores/revocation-log.ts";
import { insertInto, REVOCATION_COLUMNS } from "../../src/stores/sqlite/columns.ts";
import { openFile } from "../../src/stores/sqlite/open-file.ts";
import { SESSION_COLUMNS } from "../../src/stores/sqlite/session-rows.ts";
import { DIGEST, HOUR_MS, SEALED } from "../sessions.ts";

/** The subject with many sessions. The others have one session each. */
export const BUSY_SUBJECT = "subject-with-many-sessions";
const DAY_MS = 24 * HOUR_MS;
/** Rows of one transaction, so that the journal stays small. */
const ROWS_PER_COMMIT = 50_000;

export interface Contents {
  /** The `iss` of the service. */
  readonly issuer: string;
  readonly secret: string;
  readonly sessions: number;
  readonly revocations: number;
  /** How many of the sessions are those of `BUSY_SUBJECT`. */
  readonly sessionsOfOne: number;
}

/**
 * Fills a new file of the embedded store. The sessions are authentic: one in ten has expired, and three in ten have a
 * successor that a clean-up erases. Half of the revocations are those of sessions, a quarter each of tokens and subjects.
 */
export function seedFile(file: string, contents: Contents): void {
  const db = openFile({ file, description: "the file of the benchmark" });
  try {
    db.exec("PRAGMA synchronous = OFF");
    seedSessions(db, contents);
    seedRevocations(db, contents);
  } finally {
    db.close();
  }
}

function seedSessions(db: DatabaseSync, { secret, sessions, sessionsOfOne }: Contents): void {
  const secrets = deriveSecrets(secret);
  const insert = db.prepare(insertInto("sessions", SESSION_COLUMNS));
  const now = Date.now();
  const facts = JSON.stringify({
    scopes: ["orders:read", "orders:write"],
    claims: {},
    client: "holdfast",
    device: "x".repeat(120),
    deviceName: "a browser",
    address: "192.0.2.7",
    mark: 0,
  });
  const defaults: Readonly<Record<string, string | number | null>> = {
    generation: 7,
    currentDigest: DIGEST,
    previousDigest: DIGEST,
    sealedSuccessor: SEALED,
    repeatStreak: 0,
    wasRepeated: 0,
    idleMs: 30 * DAY_MS,
  };
  inTransactions(db, sessions, (i) => {
    const isExpired = i % 10 === 0 && i >= sessionsOfOne;
    const isOver = i % 10 < 4;
    const authAt = now - (isExpired ? 40 * DAY_MS : i % DAY_MS);
    const session = {
      ...defaults,
      ...addSessionMac(secrets, {
        id: randomBytes(16).toString("base64url"),
        subject: i < sessionsOfOne ? BUSY_SUBJECT : `subject-${i}`,
        authAt,
        absoluteExpiresAt: authAt + 90 * DAY_MS,
        facts,
      }),
      rotatedAt: authAt,
      issuedAtS: Math.floor(authAt / 1000),
      idleExpiresAt: authAt + 30 * DAY_MS,
      lostAnswerEndsAt: isOver ? now - HOUR_MS : now + DAY_MS,
    } as Readonly<Record<string, string | number | null>>;
    insert.run(...SESSION_COLUMNS.map((column) => session[column] ?? null));
  });
}

function seedRevocations(db: DatabaseSync, { issuer, revocations }: Contents): void {
  const insert = db.prepare(insertInto("revocations", REVOCATION_COLUMNS));
  const at = Date.now() - HOUR_MS;
  let last: { seq: number; chain: string } | null = null;
  inTransactions(db, revocations, (i) => {
    const revocation = revocationOf(i, issuer, at + DAY_MS);
    const entry = nextEntry(last, at, revocation);
    last = entry;
    insertRevocation(insert, entry.seq, entry.chain, at, revocation);
  });
}

function revocationOf(i: number, issuer: string, until: number): Revocation {
  if (i % 2 === 0) return { kind: "session", id: randomBytes(16).toString("base64url"), issuer, until };
  if (i % 4 === 1) return { kind: "token", id: randomUUID(), issuer, until };
  const before = Math.floor(Date.now() / 1000) - 7200;
  return { kind: "subject", id: `former-${i}`, before, number: i, issuer, until };
}

function insertRevocation(
  insert: StatementSync,
  seq: number,
  chain: string,
  at: number,
  one: Revocation,
): void {
  const { issuer, kind, id, until } = one;
  const [before, number] = one.kind === "subject" ? [one.before, one.number ?? null] : [null, null];
  insert.run(seq, chain, at, issuer, kind, id, before, until, number);
}

function inTransactions(db: DatabaseSync, count: number, step: (i: number) => void): void {
  for (let from = 0; from < count; from += ROWS_PER_COMMIT) {
    db.exec("BEGIN");
    for (let i = from; i < Math.min(count, from + ROWS_PER_COMMIT); i++) step(i);
    db.exec("COMMIT");
  }
}
