/**
 * How much a rotation costs beside the transaction it cannot do without: one read of the session, one of its
 * subject's cut-off, one update, synced. Leaves out tokens and HTTP. The disk is that of the temporary folder.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Store } from "../src/stores/contracts.ts";
import { sqliteStore } from "../src/stores/sqlite.ts";
import { measure, report, type Contender } from "./measure.ts";

const SESSIONS = 1000;
const DIGEST = "d".repeat(43);
const SEALED = "s".repeat(160);
const FACTS = JSON.stringify({ scopes: ["orders:read", "orders:write"], device: "x".repeat(150) });
const HOUR_MS = 3_600_000;

async function filledStore(file: string): Promise<Store> {
  const store = await sqliteStore({ file });
  const authAt = await store.now();
  const session = { authAt, absoluteExpiresAt: authAt + 24 * HOUR_MS, facts: FACTS, mac: DIGEST };
  const numbers = Array.from({ length: SESSIONS }, (_, i) => i);
  await Promise.all(
    numbers.map(
      async (i) =>
        await store.sessions.create({
          ...session,
          id: `session-${i}`,
          subject: `subject-${i}`,
          currentDigest: DIGEST,
          idleMs: HOUR_MS,
        }),
    ),
  );
  return store;
}

/** Rotates all sessions in turn, `inFlight` at once. */
function rotating(name: string, store: Store, inFlight: number, target: number): Contender {
  const generations = Array.from({ length: SESSIONS }, () => 1);
  let turn = 0;
  async function rotateNext(): Promise<void> {
    const i = turn++ % SESSIONS;
    const sessionId = `session-${i}`;
    const generation = generations[i] ?? 1;
    generations[i] = generation + 1;
    const { outcome } = await store.sessions.rotate({
      sessionId,
      generation,
      presentedDigest: DIGEST,
      successorDigest: DIGEST,
      sealedSuccessor: SEALED,
      idleMs: HOUR_MS,
      graceMs: 30_000,
      onReuse: {
        kind: "session",
        id: sessionId,
        issuer: "https://id.example.com",
        until: Date.now() + HOUR_MS,
      },
    });
    if (outcome !== "rotated") throw new Error(outcome);
  }
  return {
    name,
    target,
    async run(iterations) {
      let left = iterations;
      const worker = async () => {
        while (left-- > 0) await rotateNext();
      };
      await Promise.all(Array.from({ length: inFlight }, worker));
    },
  };
}

/** The same rows of the same file format, without promises, decisions or error handling. */
function bare(file: string): Contender {
  const db = new DatabaseSync(file);
  db.exec("PRAGMA synchronous = FULL");
  const begin = db.prepare("BEGIN IMMEDIATE");
  const session = db.prepare("SELECT * FROM sessions WHERE id = ?");
  const cutoff = db.prepare("SELECT * FROM cutoffs WHERE subject = ?");
  const update = db.prepare(
    `UPDATE sessions SET generation = generation + 1, currentDigest = ?, previousDigest = ?, sealedSuccessor = ?,
      rotatedAt = ?, graceEndsAt = ?, issuedAtS = ?, idleExpiresAt = ? WHERE id = ?`,
  );
  const commit = db.prepare("COMMIT");
  let turn = 0;
  return {
    name: "bare transaction",
    run(iterations) {
      for (let n = 0; n < iterations; n++) {
        const i = turn++ % SESSIONS;
        const now = Date.now();
        begin.run();
        session.get(`session-${i}`);
        cutoff.get(`subject-${i}`);
        const times = [now, now + 30_000, Math.floor(now / 1000), now + HOUR_MS];
        update.run(DIGEST, DIGEST, SEALED, ...times, `session-${i}`);
        commit.run();
      }
    },
  };
}

const dir = mkdtempSync(join(tmpdir(), "holdfast-bench-"));
try {
  const files = ["bare.db", "alone.db", "together.db"].map((name) => join(dir, name));
  const [floor, alone, together] = await Promise.all(files.map(filledStore));
  if (!floor || !alone || !together) throw new Error("three stores were opened");
  await floor.close();
  const rows = await measure("rotation on SQLite, synchronous=FULL", [
    bare(files[0] ?? ""),
    rotating("rotate, alone", alone, 1, 1.25),
    rotating("rotate, 8 in flight", together, 8, 0.5),
  ]);
  report([rows]);
  await Promise.all([alone.close(), together.close()]);
} finally {
  rmSync(dir, { recursive: true, force: true });
}
