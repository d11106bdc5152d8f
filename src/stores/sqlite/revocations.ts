import type { StatementSync } from "node:sqlite";
import type { LogPosition, Revocation, RevocationEntry } from "../../core/revocation.ts";
import type { RevocationFeed, RevocationSnapshot, RevocationTail, SnapshotPage } from "../store.ts";
import { EXPIRED_RETENTION_MS } from "../retention.ts";
import { nextEntry, RevocationListeners, tailAfter } from "../revocation-log.ts";
import { formatSnapshotCursor, parseSnapshotCursor } from "../snapshot-cursor.ts";
import { insertInto, REVOCATION_COLUMNS, selectFrom } from "./columns.ts";
import type { SqliteConnection } from "./connection.ts";
import { LogWatch } from "./log-watch.ts";

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
  number: number | null;
}

/** Entries that one read or one clean-up examines, so that it never delays other commands for long. */
const PAGE = 1000;

/** The revocation log of the store. */
export interface RevocationPart {
  readonly feed: RevocationFeed;
  /** Called by a command. Appends an entry, and publishes it to the listeners when it is durable. */
  readonly append: (revocation: Revocation, nowMs: number) => RevocationEntry;
  /** Does in SQL what `pruneEntries` does, in commands of bounded length. */
  readonly prune: () => Promise<void>;
  /** Whether listeners get the entries of other processes within milliseconds too. At first they do not. */
  readonly watch: (isOn: boolean) => void;
}

export function createRevocationPart(db: SqliteConnection): RevocationPart {
  const listeners = new RevocationListeners();
  const rows = new RevocationRows(db);
  const watch = new LogWatch(rows, (entries) => listeners.publish(entries));
  let lastRead: { readonly version: unknown; readonly end: LogPosition } | null = null;
  let appended = 0;

  /** Returns the first page after `position`, and what to remember when it is the whole tail. */
  function readFirst(position: LogPosition) {
    const version = rows.dataVersion();
    if (lastRead?.version === version && samePosition(lastRead?.end, position)) return null;
    const epoch = rows.epoch();
    const entries = rows.from(position.seq);
    return {
      version,
      appended,
      epoch,
      isWhole: entries.length < PAGE,
      tail: tailAfter(position, epoch, entries),
    };
  }

  async function after(position: LogPosition): Promise<RevocationTail> {
    const first = await db.read(() => readFirst(position));
    if (first === null) return { status: "ok", entries: [] };
    const { version, epoch, tail } = first;
    if (tail.status === "gap") return tail;
    const entries = [...tail.entries];
    for (let isWhole = first.isWhole; !isWhole;) {
      await db.nextTurn();
      const next = (entries.at(-1) ?? position).seq + 1;
      const page = await db.read(() => rows.from(next));
      // The head of the log may have been trimmed between two pages.
      if (page.length > 0 && page[0]?.seq !== next) return { status: "gap" };
      entries.push(...page);
      isWhole = page.length < PAGE;
    }
    const last = entries.at(-1) ?? position;
    // `data_version` does not tell of this connection's own commits.
    if (first.appended === appended) lastRead = { version, end: { epoch, seq: last.seq, chain: last.chain } };
    return { status: "ok", entries };
  }

  return {
    append(revocation, nowMs) {
      const entry = nextEntry(rows.newest(), nowMs, revocation);
      rows.insert(entry);
      db.afterCommit(() => {
        appended++;
        lastRead = null;
        watch.appended(entry);
      });
      return entry;
    },
    prune: async () => await pruneLog(db, rows),
    watch: (isOn) => watch.set(isOn),
    feed: {
      snapshot: async () => await readSnapshot(db, rows),
      snapshotPage: async (cursor) => await readSnapshotPage(db, rows, cursor),
      after,
      subscribe: (listener) => listeners.subscribe(listener),
    },
  };
}

async function readSnapshot(db: SqliteConnection, rows: RevocationRows): Promise<RevocationSnapshot> {
  const entries: RevocationEntry[] = [];
  let cursor: string | null = null;
  for (;;) {
    const page: SnapshotPage = await readSnapshotPage(db, rows, cursor);
    entries.push(...page.entries);
    if (page.next === null) return { position: page.position, entries };
    cursor = page.next;
    await db.nextTurn();
  }
}

/** Entries never change, and only entries that are long past are trimmed, so pages form the state at the position. */
async function readSnapshotPage(
  db: SqliteConnection,
  rows: RevocationRows,
  cursor: string | null,
): Promise<SnapshotPage> {
  return await db.read((now) => {
    const epoch = rows.epoch();
    const given = cursor === null ? null : parseSnapshotCursor(cursor, epoch, "number");
    const { position, from, nowMs } = given ?? {
      position: { epoch, ...(rows.newest() ?? { seq: 0, chain: "" }) },
      from: rows.oldest(),
      nowMs: now,
    };
    const to = Math.min(from + PAGE - 1, position.seq);
    const entries = rows.inForce(from, to, nowMs);
    const next = to < position.seq ? formatSnapshotCursor({ position, from: to + 1, nowMs }) : null;
    return { position, entries, next };
  });
}

async function pruneLog(db: SqliteConnection, rows: RevocationRows): Promise<void> {
  for (let isDone = false; !isDone;) {
    isDone = await db.write((nowMs) => rows.trim(nowMs - EXPIRED_RETENTION_MS));
  }
}

/** The tables `revocations` and `log`. All methods are synchronous: they run within a command or a read. */
class RevocationRows {
  readonly #epoch: StatementSync;
  readonly #newest: StatementSync;
  readonly #oldest: StatementSync;
  readonly #from: StatementSync;
  readonly #inForce: StatementSync;
  readonly #insert: StatementSync;
  readonly #head: StatementSync;
  readonly #trim: StatementSync;
  readonly #dataVersion: StatementSync;

  constructor(db: SqliteConnection) {
    const select = selectFrom("revocations", REVOCATION_COLUMNS);
    this.#epoch = db.prepare("SELECT epoch FROM log");
    this.#newest = db.prepare("SELECT seq, chain FROM revocations ORDER BY seq DESC LIMIT 1");
    this.#oldest = db.prepare("SELECT min(seq) AS seq FROM revocations");
    this.#from = db.prepare(`${select} WHERE seq >= ? ORDER BY seq LIMIT ${PAGE}`);
    this.#inForce = db.prepare(`${select} WHERE seq >= ? AND seq <= ? AND "until" > ? ORDER BY seq`);
    this.#insert = db.prepare(insertInto("revocations", REVOCATION_COLUMNS));
    this.#head = db.prepare(`SELECT seq, "until" FROM revocations ORDER BY seq LIMIT ${PAGE + 1}`);
    this.#trim = db.prepare("DELETE FROM revocations WHERE seq < ?");
    // The value changes with each commit of another connection, so an idle poll need not read the log.
    this.#dataVersion = db.prepare("PRAGMA data_version");
  }

  dataVersion(): unknown {
    return this.#dataVersion.get()?.["data_version"];
  }

  epoch(): string {
    return (this.#epoch.get() as { epoch: string }).epoch;
  }

  newest(): { seq: number; chain: string } | null {
    return (this.#newest.get() as { seq: number; chain: string } | undefined) ?? null;
  }

  /** The number of the oldest entry. 1 when the log is empty. */
  oldest(): number {
    return (this.#oldest.get() as { seq: number | null }).seq ?? 1;
  }

  /** One page of entries, beginning with number `seq`. */
  from(seq: number): RevocationEntry[] {
    return (this.#from.all(seq) as unknown as RevocationRow[]).map(toEntry);
  }

  inForce(from: number, to: number, nowMs: number): RevocationEntry[] {
    return (this.#inForce.all(from, to, nowMs) as unknown as RevocationRow[]).map(toEntry);
  }

  insert({ seq, chain, at, revocation }: RevocationEntry): void {
    const { issuer, kind, id, until } = revocation;
    const isSubject = revocation.kind === "subject";
    const before = isSubject ? revocation.before : null;
    const number = isSubject ? (revocation.number ?? null) : null;
    this.#insert.run(seq, chain, at, issuer, kind, id, before, until, number);
  }

  /** Erases at most one page of the head of the log. Returns true when nothing is left to erase. */
  trim(untilMs: number): boolean {
    const head = this.#head.all() as { seq: number; until: number }[];
    // The newest entry stays, and so does the first entry of the next page until that page is examined.
    const kept = head.find(({ until }) => until > untilMs) ?? head.at(-1);
    if (kept !== undefined && kept !== head[0]) this.#trim.run(kept.seq);
    return head.length <= PAGE || kept !== head.at(-1);
  }
}

function samePosition(a: LogPosition | undefined, b: LogPosition): boolean {
  return a?.seq === b.seq && a.chain === b.chain && a.epoch === b.epoch;
}

export function toEntry(row: RevocationRow): RevocationEntry {
  const { seq, chain, at, issuer, kind, id, before, until, number } = row;
  const scope = { id, issuer, until };
  if (kind !== "subject") return { seq, chain, at, revocation: { kind, ...scope } };
  const numbered = number === null ? {} : { number };
  return { seq, chain, at, revocation: { kind, before: before ?? 0, ...numbered, ...scope } };
}
