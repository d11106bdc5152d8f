import type { LogPosition, Revocation, RevocationEntry } from "../../core/revocation.ts";
import type { RevocationFeed, RevocationTail } from "../store.ts";
import { EXPIRED_RETENTION_MS } from "../retention.ts";
import { nextEntry, RevocationListeners, tailAfter } from "../revocation-log.ts";
import type { SqliteConnection } from "./connection.ts";

/** A row of the table `revocations`. */
export interface RevocationRow {
  seq: number;
  chain: string;
  at: number;
  issuer: string;
  kind: Revocation["kind"];
  id: string;
  before: number | null;
  until: number;
}

/** The revocation log of the store. */
export interface RevocationPart {
  readonly feed: RevocationFeed;
  /** Called by a command. Appends an entry, and publishes it to the listeners when it is durable. */
  readonly append: (revocation: Revocation, nowMs: number) => RevocationEntry;
  /** Called by a command. Does in SQL what `pruneEntries` does. */
  readonly prune: (nowMs: number) => void;
}

export function createRevocationPart(db: SqliteConnection): RevocationPart {
  const listeners = new RevocationListeners();
  const selectEpoch = db.prepare("SELECT epoch FROM log");
  const newest = db.prepare("SELECT seq, chain FROM revocations ORDER BY seq DESC LIMIT 1");
  const from = db.prepare("SELECT * FROM revocations WHERE seq >= ? ORDER BY seq");
  const inForce = db.prepare(
    `SELECT * FROM revocations WHERE "until" > ? OR seq = (SELECT max(seq) FROM revocations) ORDER BY seq`,
  );
  const insert = db.prepare("INSERT INTO revocations VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
  const trim = db.prepare(
    `DELETE FROM revocations WHERE seq < coalesce(
      (SELECT seq FROM revocations WHERE "until" > ? ORDER BY seq LIMIT 1), (SELECT max(seq) FROM revocations))`,
  );
  // The value changes with each commit of another connection, so an idle poll need not read the log.
  const dataVersion = db.prepare("PRAGMA data_version");
  let lastRead: { readonly version: unknown; readonly end: LogPosition } | null = null;

  function after(position: LogPosition): RevocationTail {
    const version = dataVersion.get()?.["data_version"];
    if (lastRead?.version === version && samePosition(lastRead?.end, position))
      return { status: "ok", entries: [] };
    const { epoch } = selectEpoch.get() as { epoch: string };
    const tail = tailAfter(
      position,
      epoch,
      (from.all(position.seq) as unknown as RevocationRow[]).map(toEntry),
    );
    if (tail.status === "ok") {
      const last = tail.entries.at(-1) ?? position;
      lastRead = { version, end: { epoch, seq: last.seq, chain: last.chain } };
    }
    return tail;
  }

  return {
    append(revocation, nowMs) {
      const last = newest.get() as unknown as Pick<RevocationRow, "seq" | "chain"> | undefined;
      const entry = nextEntry(last ?? null, nowMs, revocation);
      const { issuer, kind, id, until } = revocation;
      const before = revocation.kind === "subject" ? revocation.before : null;
      insert.run(entry.seq, entry.chain, nowMs, issuer, kind, id, before, until);
      db.afterCommit(() => {
        lastRead = null;
        listeners.publish([entry]);
      });
      return entry;
    },
    prune: (nowMs) => void trim.run(nowMs - EXPIRED_RETENTION_MS),
    feed: {
      snapshot: async () =>
        await db.read((nowMs) => {
          const entries = (inForce.all(nowMs) as unknown as RevocationRow[]).map(toEntry);
          const { epoch } = selectEpoch.get() as { epoch: string };
          const { seq, chain } = entries.at(-1) ?? { seq: 0, chain: "" };
          return {
            position: { epoch, seq, chain },
            entries: entries.filter((entry) => entry.revocation.until > nowMs),
          };
        }),
      after: async (position) => await db.read(() => after(position)),
      subscribe: (listener) => listeners.subscribe(listener),
    },
  };
}

function samePosition(a: LogPosition | undefined, b: LogPosition): boolean {
  return a?.seq === b.seq && a.chain === b.chain && a.epoch === b.epoch;
}

export function toEntry({ seq, chain, at, issuer, kind, id, before, until }: RevocationRow): RevocationEntry {
  const scope = { id, issuer, until };
  const revocation: Revocation =
    kind === "subject" ? { kind, before: before ?? 0, ...scope } : { kind, ...scope };
  return { seq, chain, at, revocation };
}
