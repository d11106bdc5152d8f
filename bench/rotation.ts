/**
 * Compares a rotation with the minimum that it needs: a synced transaction that reads the session and its subject's
 * cut-off, and updates the session. Tokens and HTTP are left out. The disk is that of the temporary folder.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Store } from "../src/stores/store.ts";
import { sqliteStore } from "../src/stores/sqlite.ts";
import { inFlight } from "./in-flight.ts";
import { measure, report, type Contender } from "./measure.ts";
import { DIGEST, HOUR_MS, SEALED, SESSIONS, createSessions } from "./sessions.ts";

async function opened(file: string): Promise<{ store: Store; rotateNext: () => Promise<void> }> {
  const store = await sqliteStore({ file });
  return { store, rotateNext: await createSessions(store) };
}

/** Does the same reads and writes on the same schema, without promises, decisions or error handling. */
function bare(file: string): Contender {
  const db = new DatabaseSync(file);
  db.exec("PRAGMA synchronous = FULL");
  const begin = db.prepare("BEGIN IMMEDIATE");
  const session = db.prepare("SELECT * FROM sessions WHERE id = ?");
  const cutoff = db.prepare("SELECT * FROM cutoffs WHERE subject = ?");
  const update = db.prepare(
    `UPDATE sessions SET generation = generation + 1, currentDigest = ?, previousDigest = ?, sealedSuccessor = ?,
      rotatedAt = ?, lostAnswerEndsAt = ?, previousArrivedAt = ?, issuedAtS = ?, idleExpiresAt = ? WHERE id = ?`,
  );
  const commit = db.prepare("COMMIT");
  let turn = 0;
  return {
    name: "bare transaction",
    waits: true,
    run(iterations) {
      for (let n = 0; n < iterations; n++) {
        const i = turn++ % SESSIONS;
        const now = Date.now();
        begin.run();
        session.get(`session-${i}`);
        cutoff.get(`subject-${i}`);
        const times = [now, now + 24 * HOUR_MS, now, Math.floor(now / 1000), now + HOUR_MS];
        update.run(DIGEST, DIGEST, SEALED, ...times, `session-${i}`);
        commit.run();
      }
    },
  };
}

const dir = mkdtempSync(join(tmpdir(), "holdfast-bench-"));
try {
  const files = ["bare.db", "alone.db", "together.db"].map((name) => join(dir, name));
  const [floor, alone, together] = await Promise.all(files.map(opened));
  if (!floor || !alone || !together) throw new Error("three stores were opened");
  await floor.store.close();
  const rows = await measure("rotation on SQLite, synchronous=FULL", [
    bare(files[0] ?? ""),
    inFlight(1, "rotate, alone", alone.rotateNext, 1.25),
    inFlight(8, "rotate, 8 in flight", together.rotateNext, 0.25),
  ]);
  report([rows]);
  await Promise.all([alone.store.close(), together.store.close()]);
} finally {
  rmSync(dir, { recursive: true, force: true });
}
