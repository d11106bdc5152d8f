import type { DatabaseSync } from "node:sqlite";
import type { SigningKeyRecord } from "../store.ts";
import type { StoreDump } from "../dump.ts";
import {
  AUDIT_COLUMNS,
  CUTOFF_COLUMNS,
  KEY_COLUMNS,
  MARKER_COLUMNS,
  REVOCATION_COLUMNS,
  selectFrom,
  USER_COLUMNS,
} from "./columns.ts";
import { toUser } from "./users.ts";
import { toEntry } from "./revocations.ts";
import { SESSION_COLUMNS, toSessionRecord, type SessionRow } from "./session-rows.ts";

/** Reads the rows while they are iterated over, so each part can be read once. The caller keeps writers out. */
export function readDump(db: DatabaseSync): StoreDump {
  const rows = (sql: string) => db.prepare(sql).iterate() as Iterable<object>;
  const log = db.prepare("SELECT epoch, lastCutoff FROM log").get();
  const { epoch, lastCutoff } = log as { epoch: string; lastCutoff: number };
  const newest = db.prepare("SELECT seq, chain FROM revocations ORDER BY seq DESC LIMIT 1").get();
  return {
    users: mapRows(rows(selectFrom("users", USER_COLUMNS)), toUser),
    sessions: mapRows(rows(selectFrom("sessions", SESSION_COLUMNS)), (row: object) =>
      toSessionRecord(Object.values(row) as unknown as SessionRow),
    ),
    lastCutoff,
    cutoffs: rows(selectFrom("cutoffs", CUTOFF_COLUMNS)) as StoreDump["cutoffs"],
    keys: db
      .prepare(`${selectFrom("keys", KEY_COLUMNS)} ORDER BY createdAt, rowid`)
      .all() as unknown as SigningKeyRecord[],
    markers: db.prepare(selectFrom("markers", MARKER_COLUMNS)).all() as unknown as StoreDump["markers"],
    audit: rows(`${selectFrom("audit", AUDIT_COLUMNS)} ORDER BY number`) as StoreDump["audit"],
    log: {
      end: { epoch, ...((newest ?? { seq: 0, chain: "" }) as { seq: number; chain: string }) },
      entries: mapRows(rows(`${selectFrom("revocations", REVOCATION_COLUMNS)} ORDER BY seq`), toEntry),
    },
  };
}

function* mapRows<T>(rows: Iterable<object>, to: (row: never) => T): Generator<NonNullable<T>> {
  for (const row of rows) yield to(row as never) as NonNullable<T>;
}
