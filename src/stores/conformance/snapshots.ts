import assert from "node:assert/strict";
import { isHoldfastError } from "../../core/errors.ts";
import type { Snapshots } from "../store.ts";

export interface SnapshotsUnderTest {
  readonly snapshots: Snapshots;
  /** Removes everything. */
  close(): void | Promise<void>;
}

export const snapshotsCases: Readonly<Record<string, (under: SnapshotsUnderTest) => Promise<void>>> = {
  "what was never saved is null": async ({ snapshots }) => {
    assert.equal(await snapshots.load("keys"), null);
  },

  "what was saved last is loaded, each under its name": async ({ snapshots }) => {
    const value = { keys: [{ kid: "ünï", n: 1 }], at: 5, none: null };
    await snapshots.save("keys", { old: true });
    await snapshots.save("keys", value);
    await snapshots.save("keys.other-1_2", [1, "two"]);
    assert.deepEqual(await snapshots.load("keys"), value);
    assert.deepEqual(await snapshots.load("keys.other-1_2"), [1, "two"]);
  },

  "saves at once leave one of them, whole": async ({ snapshots }) => {
    const values = Array.from({ length: 20 }, (_, i) => ({ i, padding: "x".repeat(i * 1000) }));
    await Promise.all(values.map(async (value) => await snapshots.save("keys", value)));
    const loaded = (await snapshots.load("keys")) as { i: number };
    assert.deepEqual(loaded, values[loaded.i]);
  },

  "a name that could mean another place is refused": async ({ snapshots }) => {
    const refused = (error: unknown) => isHoldfastError(error, "invalid_option");
    for (const name of ["", "../keys", "a/b", "a\\b", ".hidden", "..", "Keys", "a\0b", "x".repeat(129)]) {
      await assert.rejects(async () => await snapshots.load(name), refused, name);
      await assert.rejects(async () => await snapshots.save(name, 1), refused, name);
    }
  },
};
