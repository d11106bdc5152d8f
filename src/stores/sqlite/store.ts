import type { Store } from "../contracts.ts";
import type { Connection } from "./connection.ts";
import { auditTable, keyTable, markerTable, userTable } from "./records.ts";
import { revocationTable } from "./revocations.ts";
import { sessionTable } from "./sessions.ts";

/** All parts of the store on one connection. */
export function storeOn(db: Connection, description: string): Store {
  const revocations = revocationTable(db);
  const sessions = sessionTable(db, revocations);
  const audit = auditTable(db);
  const alive = db.prepare("SELECT count(*) FROM sqlite_schema");
  return {
    description,
    users: userTable(db),
    sessions: sessions.store,
    keys: keyTable(db),
    revocations: {
      ...revocations.feed,
      append: async (revocation) => await db.write((nowMs) => sessions.append(revocation, nowMs)),
    },
    audit: audit.store,
    markers: markerTable(db),
    now: async () =>
      await db.read((nowMs) => {
        alive.get();
        return nowMs;
      }),
    async prune() {
      await sessions.prune();
      await db.write((nowMs) => {
        revocations.prune(nowMs);
        audit.prune(nowMs);
      });
    },
    close: async () => await db.close(),
  };
}
