import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import fc from "fast-check";
import { isHoldfastError } from "../../../src/core/errors.ts";
import { chainDigest } from "../../../src/core/revocation.ts";
import { logIn, makeRevocation, present } from "../../../src/stores/conformance/fixtures.ts";
import type { Store } from "../../../src/stores/store.ts";
import { FakeClock } from "../../../src/testing/fake-clock.ts";
import { seededEntropy } from "../../../src/testing/entropy.ts";
import { seededRandom } from "../../../src/testing/random.ts";
import { SimulatedDisk } from "../../../sim/disk/simulated-disk.ts";
import { lockFile, openSimulatedSqliteStore } from "../../../sim/stores/sqlite-store.ts";
import { temporaryFolder } from "../../stores/temporary-folder.ts";

/** One life of the process: what it writes, and how it ends. */
const life = fc.record({
  writes: fc.array(fc.constantFrom("log in", "refresh", "end", "revoke"), { maxLength: 12 }),
  end: fc.constantFrom("power fails between commits", "power fails within a commit"),
  isLying: fc.boolean(),
});

/** The acknowledged writes: the generation and the end of each session, and the revocations in their order. */
class Acknowledged {
  readonly generations = new Map<string, number>();
  readonly ended = new Set<string>();
  readonly revoked: string[] = [];
  /** All sessions, also those without an acknowledgement. */
  readonly sessions = new Set<string>();

  /** Takes over what the disk has kept. */
  restrictTo(found: { revoked: readonly string[]; generations: ReadonlyMap<string, number> }): void {
    this.revoked.splice(0, this.revoked.length, ...found.revoked);
    this.generations.clear();
    for (const [id, generation] of found.generations) this.generations.set(id, generation);
    this.ended.clear();
    for (const id of found.revoked) if (this.generations.has(id)) this.ended.add(id);
  }
}

void describe("SQLite on a disk that loses power", () => {
  function createDisk(t: TestContext, seed: number) {
    const folder = temporaryFolder();
    t.after(folder.remove);
    const random = seededRandom(seed);
    const disk = new SimulatedDisk(join(folder.path, String(seed)), random);
    const clock = new FakeClock();
    const process = { clock, random, entropy: seededEntropy(seed) };
    const open = (onPowerFailure = () => {}) =>
      openSimulatedSqliteStore(disk, process, { commitMs: () => 0, onPowerFailure });
    return { disk, clock, random, open };
  }

  /** Writes until the power fails. Records each write that was acknowledged before. */
  async function runLife(
    store: Store,
    writes: readonly string[],
    acknowledged: Acknowledged,
    random: () => number,
    isPowered: () => boolean,
  ): Promise<void> {
    for (const [i, write] of writes.entries()) {
      const alive = [...acknowledged.generations.keys()].filter((id) => !acknowledged.ended.has(id));
      const id = alive[Math.floor(random() * alive.length)];
      if (write === "log in") {
        const own = `session-${Math.floor(random() * 1e9)}`;
        acknowledged.sessions.add(own);
        await logIn(store, own);
        if (!isPowered()) return;
        acknowledged.generations.set(own, 1);
      } else if (write === "revoke") {
        const own = `token-${Math.floor(random() * 1e9)}-${i}`;
        await store.revocations.append(await makeRevocation(store, "token", own));
        if (!isPowered()) return;
        acknowledged.revoked.push(own);
      } else if (id !== undefined && write === "refresh") {
        const generation = acknowledged.generations.get(id) ?? 1;
        await present(store, id, generation);
        if (!isPowered()) return;
        acknowledged.generations.set(id, generation + 1);
      } else if (id !== undefined) {
        await store.sessions.end(id, "logout", await makeRevocation(store, "session", id));
        if (!isPowered()) return;
        acknowledged.ended.add(id);
        acknowledged.revoked.push(id);
      }
    }
  }

  /** Reads what the disk has kept, and checks that nothing in it is half of a write. */
  async function readWhole(store: Store, ids: readonly string[]) {
    const { entries, position } = await store.revocations.snapshot();
    let chain = "";
    for (const [i, entry] of entries.entries()) {
      chain = chainDigest(chain, i + 1, entry.at, entry.revocation);
      assert.deepEqual({ seq: entry.seq, chain: entry.chain }, { seq: i + 1, chain });
    }
    assert.equal(position.seq, entries.length);
    const revoked = entries.map(({ revocation }) => revocation.id);
    const generations = new Map<string, number>();
    for (const id of ids) {
      const session = await store.sessions.get(id);
      if (session === null) continue;
      generations.set(id, session.generation);
      // The end of a session and its entry in the log are one transaction.
      assert.equal(session.endedAt !== null, revoked.includes(id), `the end of ${id}`);
    }
    return { revoked, generations };
  }

  test("fault 40, law 12: every acknowledged write is there after a power failure, and no write is there by half", async (t) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(life, { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 0, max: 1e6 }),
        async (lives, seed) => {
          const { disk, random, open } = createDisk(t, seed);
          const acknowledged = new Acknowledged();
          try {
            for (const { writes, end, isLying } of lives) {
              let isPowered = true;
              const { store } = open(() => (isPowered = false));
              if (isLying) disk.lie();
              if (end === "power fails within a commit") setArmedAfter(disk, random);
              await runLife(store, writes, acknowledged, random, () => isPowered);
              if (isPowered) disk.crash();
              await store.close();
              const { store: next } = open();
              const found = await readWhole(next, [...acknowledged.sessions]);
              if (!isLying) {
                assert.deepEqual(found.revoked.slice(0, acknowledged.revoked.length), acknowledged.revoked);
                for (const [id, generation] of acknowledged.generations)
                  assert.ok((found.generations.get(id) ?? 0) >= generation, `the generation of ${id}`);
              } else {
                const common = acknowledged.revoked.slice(0, found.revoked.length);
                assert.deepEqual(found.revoked.slice(0, common.length), common);
              }
              acknowledged.restrictTo(found);
              await next.close();
            }
          } finally {
            disk.remove();
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test("a full disk refuses writes with a clear error, and keeps every acknowledged one", async (t) => {
    const { disk, open } = createDisk(t, 1);
    const { store, setFull } = open();
    await logIn(store, "a");
    setFull(true);
    const isFull = (error: unknown) =>
      isHoldfastError(error, "store_unavailable") && error.message.includes("SQLITE_FULL");
    let written = 0;
    await assert.rejects(async () => {
      for (; written < 10_000; written++)
        await store.revocations.append(await makeRevocation(store, "token", `t${written}`));
    }, isFull);
    const kept = await readWhole(store, ["a"]);
    assert.equal(kept.revoked.length, written);
    setFull(false);
    await store.revocations.append(await makeRevocation(store, "token", "after"));
    disk.crash();
    await store.close();
    const { store: next } = open();
    assert.equal((await readWhole(next, ["a"])).revoked.length, written + 1);
    await next.close();
  });

  test("a write waits for the lock of another process, and fails when it is held for too long", async (t) => {
    const { disk, clock, open } = createDisk(t, 2);
    const { store } = open();
    const release = lockFile(disk);
    const waiting = logIn(store, "a");
    await clock.advance(1000);
    release();
    await clock.advance(1000);
    await waiting;
    const releaseLater = lockFile(disk);
    const refused = assert.rejects(logIn(store, "b"), (error) => isHoldfastError(error, "store_unavailable"));
    await clock.advance(10_000);
    await refused;
    releaseLater();
    await store.close();
  });
});

/** Lets the power fail within a commit of this life, the first one or a later one. */
function setArmedAfter(disk: SimulatedDisk, random: () => number): void {
  const begin = disk.beginCommit.bind(disk);
  let left = Math.floor(random() * 8);
  disk.beginCommit = () => {
    if (left-- === 0) disk.armCrash();
    begin();
  };
}
