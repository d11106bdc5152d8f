import assert from "node:assert/strict";
import { test } from "node:test";
import { logIn } from "../../src/stores/conformance/fixtures.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import type { Store } from "../../src/stores/store.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";

/*
 * The memory store runs the code of the SQLite store. Its reads and clean-ups of many rows go in pages of 1,000 rows.
 */

const ISSUER = "https://id.example.com";
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

async function revoke(store: Store, count: number, until: number, prefix = "t"): Promise<void> {
  const ids = Array.from({ length: count }, (_, i) => `${prefix}${i}`);
  await Promise.all(ids.map((id) => store.revocations.append({ kind: "token", id, issuer: ISSUER, until })));
}

test("law 3: a long log is read in pages, and entries that arrive meanwhile are in the tail", async () => {
  const clock = new FakeClock();
  const store = memoryStore({ clock });
  const start = (await store.revocations.snapshot()).position;
  for (const [count, prefix, validMs] of [
    [1000, "a", HOUR_MS],
    [1, "b", 1],
    [1499, "c", HOUR_MS],
    [1000, "d", 1],
  ] as const) {
    await revoke(store, count, clock.now() + validMs, prefix);
  }
  await clock.advance(2);
  const reading = store.revocations.snapshot();
  const tail = store.revocations.after(start);
  await revoke(store, 1, clock.now() + HOUR_MS, "late");
  const snapshot = await reading;
  assert.equal(snapshot.entries.length, 2499, "expired entries are left out");
  const read = await tail;
  assert.equal(read.status, "ok");
  const numbers = read.entries.map(({ seq }) => seq);
  assert.deepEqual(
    numbers,
    Array.from(numbers, (_, i) => i + 1),
    "the tail is contiguous",
  );
  const after = await store.revocations.after(snapshot.position);
  assert.equal(after.status, "ok");
  assert.equal(after.entries.at(-1)?.revocation.id, "late0");
  const end = (await store.revocations.snapshot()).position;
  assert.equal(end.seq, 3501);
  assert.deepEqual(await store.revocations.after(end), { status: "ok", entries: [] });
  await store.close();
});

test("law 3: an entry that is appended during the read of a long tail is not overlooked afterwards", async () => {
  const clock = new FakeClock();
  const store = memoryStore({ clock });
  let { position } = await store.revocations.snapshot();
  await revoke(store, 2000, clock.now() + HOUR_MS);
  const seen = new Set<string>();
  for (let i = 0; seen.size < 2002; i++) {
    assert.ok(i < 10, `only ${seen.size} entries were read`);
    const reading = store.revocations.after(position);
    if (i < 2) await revoke(store, 1, clock.now() + HOUR_MS, `late${i}-`);
    const tail = await reading;
    assert.equal(tail.status, "ok");
    for (const { seq, chain, revocation } of tail.entries) {
      seen.add(revocation.id);
      position = { ...position, seq, chain };
    }
  }
  await store.close();
});

test("a clean-up of many rows lets other commands run between its pages", async () => {
  const clock = new FakeClock();
  const store = memoryStore({ clock });
  await revoke(store, 2500, clock.now() + HOUR_MS);
  const end = (await store.revocations.snapshot()).position;
  const event = {
    kind: "login",
    subject: "a",
    session: null,
    source: null,
    actor: null,
    detail: null,
  } as const;
  await Promise.all(Array.from({ length: 2500 }, () => store.audit.append({ ...event, at: clock.now() })));
  const scope = { issuer: ISSUER, until: clock.now() + HOUR_MS };
  await Promise.all(
    Array.from({ length: 1500 }, (_, i) => store.sessions.endAll(`s${i}`, "logout_all", scope)),
  );
  await clock.advance(91 * DAY_MS);
  await store.audit.append({ ...event, at: clock.now() });
  const order: string[] = [];
  const pruning = store.prune().then(() => order.push("pruned"));
  for (let i = 0; i < 3; i++) {
    await logIn(store, `s${i}`);
    order.push(`login ${i}`);
  }
  await pruning;
  assert.deepEqual(order, ["login 0", "login 1", "login 2", "pruned"]);
  assert.equal((await store.audit.recent(10)).length, 1);
  assert.deepEqual(await store.revocations.after(end), { status: "gap" });
  const { position, entries } = await store.revocations.snapshot();
  assert.equal(position.seq, 4000, "the newest entry stays, so the end of the log is known");
  assert.deepEqual(entries, []);
  await store.close();
});
