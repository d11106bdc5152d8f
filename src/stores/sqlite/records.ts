import type { AuditEvent } from "../../core/events.ts";
import type { AuditStore, KeyStore, MarkerStore, SigningKeyRecord } from "../store.ts";
import { decideKeyRotation } from "../signing-key-rotation.ts";
import { AUDIT_RETENTION_MS } from "../retention.ts";
import { AUDIT_COLUMNS, insertInto, KEY_COLUMNS, MARKER_COLUMNS, selectFrom } from "./columns.ts";
import type { SqliteConnection } from "./connection.ts";

export function createKeyStore(db: SqliteConnection): KeyStore {
  const all = db.prepare(`${selectFrom("keys", KEY_COLUMNS)} ORDER BY createdAt, rowid`);
  const insert = db.prepare(insertInto("keys", KEY_COLUMNS));
  const update = db.prepare("UPDATE keys SET activatedAt = ?, retiredAt = ? WHERE kid = ?");
  const reseal = db.prepare("UPDATE keys SET sealed = ? WHERE kid = ? AND sealed = ?");
  const remove = db.prepare("DELETE FROM keys WHERE kid = ?");

  const list = () => all.all().map((row) => ({ ...row }) as unknown as SigningKeyRecord);
  const add = ({ kid, algorithm, sealed, createdAt, activatedAt, retiredAt }: SigningKeyRecord) =>
    insert.run(kid, algorithm, sealed, createdAt, activatedAt, retiredAt);

  return {
    list: async () => await db.read(list),
    initialise: async (keys) =>
      await db.write(() => {
        if (list().length === 0) keys.forEach(add);
        return list();
      }),
    rotate: async (current, next) =>
      await db.write((nowMs) => {
        const rotated = decideKeyRotation(list(), current, next, nowMs);
        if (rotated === null) return "stale";
        for (const { kid, activatedAt, retiredAt } of rotated.slice(0, -1)) {
          update.run(activatedAt, retiredAt, kid);
        }
        add(next);
        return "rotated";
      }),
    reseal: async (kid, from, sealed) =>
      await db.write(() => (reseal.run(sealed, kid, from).changes === 1 ? "replaced" : "stale")),
    remove: async (kid) => await db.write(() => void remove.run(kid)),
  };
}

/** Events that one clean-up examines, so that it never delays other commands for long. */
const AUDIT_PAGE = 1000;

export interface AuditPart {
  readonly store: AuditStore;
  /** Erases the oldest events, up to the first one within retention, in commands of bounded length. */
  readonly prune: () => Promise<void>;
}

export function createAuditPart(db: SqliteConnection): AuditPart {
  const insert = db.prepare(insertInto("audit", AUDIT_COLUMNS));
  const newest = db.prepare(`${selectFrom("audit", AUDIT_COLUMNS)} ORDER BY number DESC LIMIT ?`);
  const older = db.prepare(
    `${selectFrom("audit", ["number", ...AUDIT_COLUMNS])} WHERE number < ? ORDER BY number DESC LIMIT ?`,
  );
  const head = db.prepare(`SELECT number, "at" FROM audit ORDER BY number LIMIT ${AUDIT_PAGE + 1}`);
  const trim = db.prepare("DELETE FROM audit WHERE number < ?");

  /** Erases at most one page. Returns true when nothing is left to erase. */
  function trimPage(atMs: number): boolean {
    const oldest = head.all() as { number: number; at: number }[];
    // The last event of the head stays until the next page is examined. The newest event of all stays too.
    const kept = oldest.find(({ at }) => at > atMs) ?? oldest.at(-1);
    if (kept !== undefined && kept !== oldest[0]) trim.run(kept.number);
    return oldest.length <= AUDIT_PAGE || kept !== oldest.at(-1);
  }

  return {
    store: {
      append: async ({ at, kind, subject, session, source, actor, detail }) =>
        await db.write(() => void insert.run(at, kind, subject, session, source, actor, detail)),
      recent: async (limit) =>
        await db.read(() => newest.all(limit).map((row) => ({ ...row }) as unknown as AuditEvent)),
      async page(limit, before) {
        const from = before === null ? Number.MAX_SAFE_INTEGER : Number(before);
        const rows = await db.read(
          () => older.all(from, limit + 1) as unknown as (AuditEvent & { readonly number: number })[],
        );
        const page = rows.slice(0, limit);
        const last = page.at(-1);
        return {
          events: page.map((row) => {
            const { number: _, ...event } = row;
            return event;
          }),
          next: last === undefined || rows.length === page.length ? null : String(last.number),
        };
      },
    },
    async prune() {
      for (let isDone = false; !isDone;) {
        isDone = await db.write((nowMs) => trimPage(nowMs - AUDIT_RETENTION_MS));
      }
    },
  };
}

export function createMarkerStore(db: SqliteConnection): MarkerStore {
  const find = db.prepare("SELECT value FROM markers WHERE name = ?");
  const insert = db.prepare(`${insertInto("markers", MARKER_COLUMNS)} ON CONFLICT DO NOTHING`);
  const update = db.prepare("UPDATE markers SET value = ? WHERE name = ? AND value = ?");
  const value = (name: string) => (find.get(name) as { value: string } | undefined)?.value ?? null;
  return {
    read: async (name) => await db.read(() => value(name)),
    claim: async (name, wanted) =>
      await db.write(() => {
        insert.run(name, wanted);
        return value(name) ?? wanted;
      }),
    replace: async (name, from, to) =>
      await db.write(() => (update.run(to, name, from).changes === 1 ? "replaced" : "stale")),
  };
}
