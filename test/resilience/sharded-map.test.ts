import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ShardedMap } from "../../src/resilience/sharded-map.ts";

test("fault 74: a sharded map holds what a map holds, after any changes", () => {
  const key = fc.oneof(fc.string({ maxLength: 3 }), fc.string({ minLength: 30, maxLength: 60 }));
  const change = fc.record({ key, value: fc.option(fc.nat(9)) });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 200 }), (changes) => {
      const [sharded, plain] = [new ShardedMap<number>(), new Map<string, number>()];
      for (const { key: name, value } of changes) {
        if (value === null) {
          sharded.delete(name);
          plain.delete(name);
        } else {
          sharded.set(name, value);
          plain.set(name, value);
        }
        assert.deepEqual(
          [sharded.size, sharded.get(name), sharded.has(name)],
          [plain.size, plain.get(name), plain.has(name)],
        );
      }
      assert.deepEqual(new Map(sharded), plain);
    }),
  );
});
