import assert from "node:assert/strict";
import { isHoldfastError } from "../../core/errors.ts";
import type { Snapshots } from "../store.ts";

/** A fresh, empty storage for snapshots. */
export interface SnapshotsUnderTest {
  readonly snapshots: Snapshots;
  /** Removes all data. */
  close(): void | Promise<void>;
}

export const snapshotsCases: Readonly<Record<string, (under: SnapshotsUnderTest) => Promise<void>>> = {
  "a name that was never saved loads as null": async ({ snapshots }) => {
    assert.equal(await snapshots.load("keys"), null);
  },

  "the last value saved under a name is loaded": async ({ snapshots }) => {
    const value = { keys: [{ kid: "ünï", n: 1 }], at: 5, none: null };
    await snapshots.save("keys", { old: true });
    await snapshots.save("keys", value);
    await snapshots.save("keys.other-1_2", [1, "two"]);
    assert.deepEqual(await snapshots.load("keys"), value);
    assert.deepEqual(await snapshots.load("keys.other-1_2"), [1, "two"]);
  },

  "concurrent saves leave exactly one complete value": async ({ snapshots }) => {
    const values = Array.from({ length: 20 }, (_, i) => ({ i, padding: "x".repeat(i * 1000) }));
    await Promise.all(values.map(async (value) => await snapshots.save("keys", value)));
    const loaded = (await snapshots.load("keys")) as { i: number };
    assert.deepEqual(loaded, values[loaded.i]);
  },

  "a name that could leave the storage is rejected": async ({ snapshots }) => {
    const refused = (error: unknown) => isHoldfastError(error, "invalid_option");
    for (const name of ["", "../keys", "a/b", "a\\b", ".hidden", "..", "Keys", "a\0b", "x".repeat(129)]) {
      await assert.rejects(async () => await snapshots.load(name), refused, name);
      await assert.rejects(async () => await snapshots.save(name, 1), refused, name);
    }
  },
};
