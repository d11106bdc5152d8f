import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ExpiringIds } from "../../src/resilience/expiring-ids.ts";

/** Characters at the beginning and at the end of an id that count for its hash. */
const HASHED_CHARS = 128;
/** These ids have the same hash, because the characters in their middle do not count. */
const colliding = fc.nat(200).map((n) => `${"x".repeat(HASHED_CHARS)}${n}|${"x".repeat(HASHED_CHARS)}`);
const id = fc.oneof(
  fc.string({ maxLength: 3 }),
  fc.string({ unit: "binary", minLength: 1, maxLength: 40 }),
  fc.string({ minLength: 30, maxLength: 60 }),
  colliding,
);
const change = fc.record({ id, until: fc.option(fc.nat(9)) });

/** Applies the changes to both, and returns them. */
function applyAll(changes: readonly { id: string; until: number | null }[]) {
  const [ids, plain] = [new ExpiringIds(), new Map<string, number>()];
  for (const { id: name, until } of changes) {
    if (until === null) {
      ids.delete(name);
      plain.delete(name);
    } else {
      ids.set(name, until);
      plain.set(name, until);
    }
    assert.deepEqual(
      [ids.size, ids.until(name), ids.has(name)],
      [plain.size, plain.get(name), plain.has(name)],
    );
  }
  return { ids, plain };
}

const contentsOf = (ids: ExpiringIds) => new Map([...ids].map(([name, [until]]) => [name, until]));

test("fault 74: expiring ids hold what a map holds, after any changes, and with colliding ids", () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 1_000, size: "max" }), (changes) => {
      const { ids, plain } = applyAll(changes);
      assert.deepEqual(contentsOf(ids), plain);
      for (const [name, until] of plain) assert.equal(ids.until(name), until);
    }),
  );
});

test("fault 74: thousands of ids stay findable while ids are added and removed", () => {
  const [ids, plain] = [new ExpiringIds(2), new Map<string, number[]>()];
  let state = 1;
  const draw = (below: number) => (state = (state * 48_271) % 2_147_483_647) % below;
  for (let step = 0; step < 60_000; step++) {
    // Half of the ids collide with many others, as the ids of an attacker would.
    const n = draw(4_000);
    const name =
      n % 2 === 0
        ? `subject-${n}`
        : `${"x".repeat(HASHED_CHARS)}${n}|${(n % 60).toString().padStart(HASHED_CHARS, "y")}`;
    // More ids come than go in the first half, and more go in the second.
    if (draw(10) < (step < 30_000 ? 7 : 2)) {
      const numbers = [draw(1_000), n, -Infinity];
      ids.set(name, ...numbers);
      plain.set(name, numbers);
    } else {
      ids.delete(name);
      plain.delete(name);
    }
  }
  assert.ok(plain.size > 100, `${plain.size}`);
  assert.equal(ids.size, plain.size);
  assert.deepEqual(new Map([...ids].map(([name, numbers]) => [name, [...numbers]])), plain);
  for (let n = 0; n < 4_000; n++) {
    const name = `subject-${n}`;
    assert.deepEqual(ids.get(name), plain.get(name));
  }
});

const names: Readonly<Record<string, (n: string) => string>> = {
  "a common end": (n) => `user-${n}@orders-production-eu.iam.gserviceaccount.com`,
  "a common beginning": (n) => `https://id.example.com/tenants/orders-production-eu/users/${n}`,
  "a common beginning and a common end": (n) => `${"a".repeat(120)}${n}${"b".repeat(120)}`,
  "digits in the middle and at the end": (n) =>
    `${n}@orders-production-eu.example.com-0b7c3d4e-1111-4222-83${n}`,
};
for (const [kind, nameOf] of Object.entries(names)) {
  test(`fault 74: ids with ${kind} lie outside of the heap`, (t) => {
    const ids = new ExpiringIds();
    // The ids of one hash go into a map, which is on the heap.
    const { mock } = t.mock.method(Map.prototype, "set");
    for (let n = 0; n < 10_000; n++) ids.set(nameOf(String(n).padStart(7, "0")), n);
    const inMap = mock.callCount();
    mock.restore();
    assert.ok(inMap < 100, `${inMap} of 10,000 ids`);
    assert.equal(ids.until(nameOf("0001234")), 1_234);
  });
}

test("fault 74: ids of one hash go into a map", (t) => {
  const ids = new ExpiringIds();
  const { mock } = t.mock.method(Map.prototype, "set");
  const end = "x".repeat(HASHED_CHARS);
  for (let n = 0; n < 1_000; n++) ids.set(`${end}${n}|${end}`, n);
  const inMap = mock.callCount();
  mock.restore();
  assert.ok(inMap > 900, `${inMap} of 1,000 ids`);
});

test("law 3: only ids whose time is over are dropped, also when ids come and go during the drop", () => {
  const late = fc.array(change, { maxLength: 100 });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 400, size: "max" }), late, fc.nat(10), (early, during, now) => {
      const { ids, plain } = applyAll(early);
      const kept = new Map([...plain].filter(([, until]) => until >= now));
      const changes = during.values();
      for (const _ of ids.drop((until) => until < now)) {
        const { value } = changes.next();
        if (value === undefined) continue;
        if (value.until === null) {
          ids.delete(value.id);
          kept.delete(value.id);
        } else {
          ids.set(value.id, value.until + now);
          kept.set(value.id, value.until + now);
        }
      }
      assert.deepEqual(contentsOf(ids), kept);
      assert.equal(ids.size, kept.size);
    }),
  );
});

test("an iteration finds every id that stays, while others come and go", () => {
  fc.assert(
    fc.property(
      fc.array(change, { maxLength: 200 }),
      fc.array(change, { maxLength: 200 }),
      (early, during) => {
        const { ids, plain } = applyAll(early);
        const staying = new Set(plain.keys());
        for (const { id: name, until } of during) if (until === null) staying.delete(name);
        const found = new Set<string>();
        const changes = during.values();
        for (const [name] of ids) {
          found.add(name);
          const { value } = changes.next();
          if (value === undefined) continue;
          if (value.until === null) ids.delete(value.id);
          else ids.set(value.id, value.until);
        }
        for (const name of staying) assert.ok(found.has(name), JSON.stringify(name));
      },
    ),
  );
});
