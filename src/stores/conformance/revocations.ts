import assert from "node:assert/strict";
import { chainDigest, type RevocationEntry } from "../../core/revocation.ts";
import type { RevocationTail, Store } from "../store.ts";
import { LONG_AFTER_MS } from "./constants.ts";
import { logIn, makeRevocation } from "./fixtures.ts";
import type { Cases } from "./types.ts";

const GAP: RevocationTail = { status: "gap" };

async function appendTokens(store: Store, ...ids: string[]): Promise<RevocationEntry[]> {
  const entries = [];
  for (const id of ids)
    entries.push(await store.revocations.append(await makeRevocation(store, "token", id)));
  return entries;
}

/** Tests of the revocation log. */
export const revocationCases: Cases = {
  "an empty log has a position, and no entry after it": async ({ store }) => {
    const { position, entries } = await store.revocations.snapshot();
    assert.deepEqual(entries, []);
    assert.equal(position.seq, 0);
    assert.equal(position.chain, "");
    assert.deepEqual(await store.revocations.after(position), { status: "ok", entries: [] });
  },

  "entries are contiguous and chained, whichever method appended them": async ({ store }) => {
    const { position } = await store.revocations.snapshot();
    await logIn(store, "s1");
    await Promise.all([
      appendTokens(store, "a"),
      store.sessions.end("s1", "logout", await makeRevocation(store, "session", "s1")),
      store.sessions.endAll("alice", "logout_all", await makeRevocation(store, "key", "unused")),
    ]);
    const tail = await store.revocations.after(position);
    assert.equal(tail.status, "ok");
    assert.equal(tail.entries.length, 3);
    let chain = "";
    for (const [index, entry] of tail.entries.entries()) {
      assert.equal(entry.seq, index + 1);
      assert.equal(entry.chain, chainDigest(chain, entry.seq, entry.at, entry.revocation));
      chain = entry.chain;
    }
    assert.deepEqual((await store.revocations.snapshot()).entries, tail.entries);
  },

  "the tail after a position has the later entries, and is empty at the end": async ({ store }) => {
    await appendTokens(store, "a");
    const { position } = await store.revocations.snapshot();
    const later = await appendTokens(store, "b", "c");
    assert.deepEqual(await store.revocations.after(position), { status: "ok", entries: later });
    const end = (await store.revocations.snapshot()).position;
    assert.deepEqual(await store.revocations.after(end), { status: "ok", entries: [] });
    assert.deepEqual(await store.revocations.after(end), { status: "ok", entries: [] });
  },

  "fault 5: a position of another log, another history or beyond the end is a gap": async ({ store }) => {
    await appendTokens(store, "a", "b");
    const { position } = await store.revocations.snapshot();
    assert.deepEqual(await store.revocations.after({ ...position, epoch: "another" }), GAP);
    assert.deepEqual(await store.revocations.after({ ...position, chain: "another" }), GAP);
    assert.deepEqual(await store.revocations.after({ ...position, seq: 1 }), GAP);
    assert.deepEqual(await store.revocations.after({ ...position, seq: 3 }), GAP);
    assert.deepEqual(await store.revocations.after({ ...position, seq: 0, chain: "another" }), GAP);
  },

  "a snapshot leaves out expired entries, and keeps its position": async ({ store, clock }) => {
    await appendTokens(store, "a");
    await clock.advance(1_800_000);
    const [b] = await appendTokens(store, "b");
    await clock.advance(1_800_000);
    const { position, entries } = await store.revocations.snapshot();
    assert.deepEqual(entries, [b]);
    assert.equal(position.seq, 2);
    await clock.advance(LONG_AFTER_MS);
    assert.deepEqual(await store.revocations.snapshot(), { position, entries: [] });
  },

  "a snapshot has its entries in the order of the log, whatever their ends": async ({ store }) => {
    const now = await store.now();
    const ids = ["a", "b", "c", "d"];
    for (const [i, minutes] of [60, 10, 40, 20].entries()) {
      const revocation = await makeRevocation(store, "token", ids[i] ?? "");
      await store.revocations.append({ ...revocation, until: now + minutes * 60_000 });
    }
    const { entries } = await store.revocations.snapshot();
    assert.deepEqual(
      entries.map(({ revocation }) => revocation.id),
      ids,
    );
  },

  "the pages of a snapshot, where a store has them, hold what it holds at one position": async ({
    store,
    clock,
  }) => {
    const { revocations } = store;
    if (revocations.snapshotPage === undefined) return;
    await appendTokens(store, "a");
    await clock.advance(1_800_000);
    const [b, c] = await appendTokens(store, "b", "c");
    await clock.advance(1_800_000);
    const first = await revocations.snapshotPage(null);
    await appendTokens(store, "later");
    const entries = [...first.entries];
    for (let { next } = first; next !== null;) {
      const page = await revocations.snapshotPage(next);
      assert.deepEqual(page.position, first.position);
      entries.push(...page.entries);
      ({ next } = page);
    }
    assert.equal(first.position.seq, 3);
    const ids = new Set(entries.map(({ revocation }) => revocation.id));
    assert.deepEqual([ids.has("a"), ids.has("b"), ids.has("c")], [false, true, true]);
    assert.deepEqual(
      entries.filter(({ seq }) => seq <= 3).toSorted((x, y) => x.seq - y.seq),
      [b, c],
    );
    for (const cursor of ["", "{}", "[1,2]", "another"]) {
      await assert.rejects(revocations.snapshotPage(cursor), { code: "invalid_option" });
    }
  },

  "fault 9: pruning trims only the head: older positions are a gap, later ones are not": async ({
    store,
    clock,
  }) => {
    const start = (await store.revocations.snapshot()).position;
    await appendTokens(store, "a");
    const afterA = (await store.revocations.snapshot()).position;
    await appendTokens(store, "b");
    const afterB = (await store.revocations.snapshot()).position;
    await clock.advance(LONG_AFTER_MS);
    const [c] = await appendTokens(store, "c");
    await store.prune();
    assert.deepEqual(await store.revocations.after(start), GAP);
    assert.deepEqual(await store.revocations.after(afterA), GAP);
    assert.deepEqual(await store.revocations.after(afterB), { status: "ok", entries: [c] });
    await clock.advance(LONG_AFTER_MS);
    const end = (await store.revocations.snapshot()).position;
    await store.prune();
    assert.deepEqual((await store.revocations.snapshot()).position, end);
    const [d] = await appendTokens(store, "d");
    assert.equal(d?.seq, 4);
    assert.deepEqual(await store.revocations.after(end), { status: "ok", entries: [d] });
  },

  "law 3: pruning keeps an entry in force, and every entry after it": async ({ store, clock }) => {
    const long = (await store.now()) + 2 * LONG_AFTER_MS;
    await store.revocations.append({ ...(await makeRevocation(store, "key", "k")), until: long });
    await appendTokens(store, "a");
    await clock.advance(LONG_AFTER_MS);
    await store.prune();
    const { entries } = await store.revocations.snapshot();
    assert.deepEqual(
      entries.map((entry) => entry.revocation.id),
      ["k"],
    );
  },

  "listeners get entries in order and before the append resolves, until they unsubscribe": async ({
    store,
  }) => {
    const received: number[] = [];
    const unsubscribe = store.revocations.subscribe((entries) => received.push(...entries.map((e) => e.seq)));
    await appendTokens(store, "a");
    assert.deepEqual(received, [1]);
    await Promise.all([appendTokens(store, "b"), appendTokens(store, "c")]);
    assert.deepEqual(received, [1, 2, 3]);
    unsubscribe();
    await appendTokens(store, "d");
    assert.deepEqual(received, [1, 2, 3]);
  },

  "a listener that throws affects neither the append nor the other listeners": async ({ store }) => {
    const received: number[] = [];
    store.revocations.subscribe(() => {
      throw new Error("an error of the listener");
    });
    store.revocations.subscribe((entries) => received.push(...entries.map((e) => e.seq)));
    await appendTokens(store, "a");
    assert.deepEqual(received, [1]);
    assert.equal((await store.revocations.snapshot()).position.seq, 1);
  },
};
