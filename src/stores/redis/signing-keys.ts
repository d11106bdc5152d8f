import type { Clock } from "../../core/clock.ts";
import { damagedRecord, parseRecord } from "../damaged-record.ts";
import { decideKeyRotation } from "../signing-key-rotation.ts";
import type { KeyStore, SigningKeyRecord } from "../store.ts";
import { AcknowledgedWrites } from "./acknowledged-writes.ts";
import { defineManifestRead, defineManifestWrite, type Manifest } from "./manifest.ts";
import { mergeKeySets, removeKey, type AcknowledgedKeySet, type KeySet } from "./merge-key-sets.ts";

/*
 * The signing keys are one field of the manifest. A second field has the keys that were removed last, so that no process
 * adds one of them again. A third field has the number of the last change.
 * Processes of earlier versions compare it with the number of their own change.
 */

const FIELD = "keys";

const READ_KEYS = `
local keys, removed, last = unpack(redis.call('HMGET', KEYS[1], '${FIELD}', '${FIELD}:removed', '${FIELD}:change'))
`;

/** Returns the store's time, the keys and the removed keys, each '' when unset. */
const readKeys = defineManifestRead(`${READ_KEYS}
return {now, keys or '', removed or ''}`);

/**
 * Arguments: the expected keys and removed keys ('' when unset), the new keys and removed keys. Returns whether they were
 * replaced.
 */
const replaceKeys = defineManifestWrite(`${READ_KEYS}
if (keys or '') ~= ARGV[3] or (removed or '') ~= ARGV[4] then return 0 end
local number = math.max(now, (tonumber(last) or 0) + 1)
redis.call('HSET', KEYS[1], '${FIELD}', ARGV[5], '${FIELD}:removed', ARGV[6], '${FIELD}:change', number)
return 1`);

type Keys = readonly SigningKeyRecord[];

/** The signing keys of the store. */
export interface KeyPart {
  readonly store: KeyStore;
  /** Applies an acknowledged change that the store has lost. Calls `onRestored` with the number of such changes. */
  readonly restoreOnce: (onRestored: (count: number) => void) => Promise<void>;
}

export function createKeyPart(manifest: Manifest, clock: Clock): KeyPart {
  /** The key set after the last change of this process. It contains the earlier changes. */
  const acknowledged = new AcknowledgedWrites<AcknowledgedKeySet>(clock);
  /** The sealed keys that this process has replaced. */
  const replaced = new Set<string>();

  async function read(): Promise<[now: number, keys: string, removed: string]> {
    return (await manifest.runHashScript(readKeys)) as [number, string, string];
  }

  /**
   * Replaces the keys by the result of `change`, and tries again when another process has changed them. Returns `null`,
   * and changes nothing, when `change` returns `null`.
   */
  async function update(change: (set: KeySet, nowMs: number) => KeySet | null): Promise<Keys | null> {
    for (;;) {
      const [now, keys, removed] = await read();
      const standing = { keys: parseList(keys) as Keys, removed: parseList(removed) as string[] };
      const changed = change(standing, now);
      if (changed === null) return null;
      const values = [JSON.stringify(changed.keys), JSON.stringify(changed.removed)];
      if ((await manifest.runHashScript(replaceKeys, [keys, removed, ...values])) !== 1) continue;
      acknowledged.add(FIELD, { ...changed, replaced });
      return changed.keys;
    }
  }

  const list = async (): Promise<Keys> => parseList((await read())[1]) as Keys;
  const store: KeyStore = {
    list,
    initialise: async (first) =>
      (await update((set) => (set.keys.length === 0 ? { ...set, keys: first } : null))) ?? (await list()),
    async rotate(current, next) {
      const outcome = await update((set, nowMs) => {
        const keys = decideKeyRotation(set.keys, current, next, nowMs);
        return keys === null ? null : { ...set, keys };
      });
      return outcome === null ? "stale" : "rotated";
    },
    async reseal(kid, from, sealed) {
      const outcome = await update((set) => {
        const isUnchanged = set.keys.some((key) => key.kid === kid && key.sealed === from);
        const reseal = (key: SigningKeyRecord) => (key.kid === kid ? { ...key, sealed } : key);
        return isUnchanged ? { ...set, keys: set.keys.map(reseal) } : null;
      });
      if (outcome === null) return "stale";
      replaced.add(from);
      return "replaced";
    },
    async remove(kid) {
      await update((set) => (set.keys.some((key) => key.kid === kid) ? removeKey(set, kid) : null));
    },
  };

  return {
    store,
    async restoreOnce(onRestored) {
      for (const [, own] of acknowledged.recent()) {
        const restored = await update((standing, nowMs) => {
          const merged = mergeKeySets(standing, own, nowMs);
          return JSON.stringify(merged) === JSON.stringify(standing) ? null : merged;
        });
        onRestored(restored === null ? 0 : 1);
      }
    },
  };
}

function parseList(value: string): readonly unknown[] {
  const list = value === "" ? [] : parseRecord("Redis", "the signing keys", value);
  if (!Array.isArray(list)) throw damagedRecord("Redis", "the signing keys");
  return list;
}
