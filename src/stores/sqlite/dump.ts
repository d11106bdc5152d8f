import type { DatabaseSync } from "node:sqlite";
import type { SigningKeyRecord } from "../store.ts";
import type { StoreDump } from "../dump.ts";
import { toUser } from "./records.ts";
import { toEntry } from "./revocations.ts";
import { toSessionRecord } from "./session-rows.ts";

/** Reads the rows while they are iterated over, so each part can be read once. The caller keeps writers out. */
export function readDump(db: DatabaseSync): StoreDump {
  const rows = (sql: string) => db.prepare(sql).iterate() as Iterable<object>;
  const { epoch } = db.prepare("SELECT epoch FROM log").get() as { epoch: string };
  const newest = db.prepare("SELECT seq, chain FROM revocations ORDER BY seq DESC LIMIT 1").get();
  return {
    users: mapRows(rows("SELECT * FROM users"), toUser),
    sessions: mapRows(rows("SELECT * FROM sessions"), toSessionRecord),
    cutoffs: rows("SELECT * FROM cutoffs") as StoreDump["cutoffs"],
    keys: db.prepare("SELECT * FROM keys ORDER BY createdAt, rowid").all() as unknown as SigningKeyRecord[],
    markers: db.prepare("SELECT * FROM markers").all() as unknown as StoreDump["markers"],
    audit: rows(
      `SELECT "at", kind, subject, session, source, detail FROM audit ORDER BY number`,
    ) as StoreDump["audit"],
    log: {
      end: { epoch, ...((newest ?? { seq: 0, chain: "" }) as { seq: number; chain: string }) },
      entries: mapRows(rows("SELECT * FROM revocations ORDER BY seq"), toEntry),
    },
  };
}

function* mapRows<T>(rows: Iterable<object>, to: (row: never) => T): Generator<NonNullable<T>> {
  for (const row of rows) yield to(row as never) as NonNullable<T>;
}
