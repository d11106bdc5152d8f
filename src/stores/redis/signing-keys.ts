import type { Clock } from "../../core/clock.ts";
import { damagedRecord, parseRecord } from "../damaged-record.ts";
import { decideKeyRotation } from "../signing-key-rotation.ts";
import type { KeyStore, SigningKeyRecord } from "../store.ts";
import { AcknowledgedWrites } from "./acknowledged-writes.ts";
import { defineManifestWrite, type Manifest } from "./manifest.ts";
import { readField } from "./records.ts";

/*
 * The signing keys are one field of the manifest. A second field has the number of their last change. The number is the
 * time, so that a change after a failover has a greater number than a change that the failover lost.
 */

const FIELD = "keys";

const READ_KEYS = `
local standing, last = unpack(redis.call('HMGET', KEYS[1], '${FIELD}', '${FIELD}:change'))
last = tonumber(last) or 0
`;

/**
 * Arguments: the expected keys ('' when unset), the new keys. Returns whether the keys were replaced, and the number of the
 * change.
 */
const replaceKeys = defineManifestWrite(`${READ_KEYS}
if (standing or '') ~= ARGV[3] then return {0} end
local number = math.max(now, last + 1)
redis.call('HSET', KEYS[1], '${FIELD}', ARGV[4], '${FIELD}:change', number)
return {1, number}`);

/**
 * Arguments: the number of a change, the keys after it. Applies the change if the store has lost it: the store has no
 * change of this or a greater number. Returns 1 when it was lost.
 */
const restoreKeys = defineManifestWrite(`${READ_KEYS}
if last >= tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[1], '${FIELD}', ARGV[4], '${FIELD}:change', ARGV[3])
return standing == ARGV[4] and 0 or 1`);

/** A change that this process has acknowledged. */
interface AcknowledgedKeys {
  readonly number: number;
  /** The JSON of all keys after the change. */
  readonly keys: string;
}

type Keys = readonly SigningKeyRecord[];

/** The signing keys of the store. */
export interface KeyPart {
  readonly store: KeyStore;
  /** Applies an acknowledged change that the store has lost. Calls `onRestored` with the number of such changes. */
  readonly restoreOnce: (onRestored: (count: number) => void) => Promise<void>;
}

export function createKeyPart(manifest: Manifest, clock: Clock): KeyPart {
  /** The last change of this process. It contains the earlier ones. */
  const acknowledged = new AcknowledgedWrites<AcknowledgedKeys>(clock);
  const parse = (value: string | null): Keys => {
    const keys = value === null ? [] : parseRecord("Redis", "the signing keys", value);
    if (!Array.isArray(keys)) throw damagedRecord("Redis", "the signing keys");
    return keys as Keys;
  };

  /**
   * Replaces the keys by the result of `change`, and tries again when another process has changed them. Returns `null`,
   * and changes nothing, when `change` returns `null`.
   */
  async function update(change: (keys: Keys, nowMs: number) => Keys | null): Promise<Keys | null> {
    for (;;) {
      const [now, value] = await readField(manifest, FIELD);
      const changed = change(parse(value), now);
      if (changed === null) return null;
      const keys = JSON.stringify(changed);
      const reply = await manifest.runHashScript(replaceKeys, [value ?? "", keys]);
      const [isReplaced, number = 0] = reply as [number, number?];
      if (isReplaced !== 1) continue;
      acknowledged.add(FIELD, { number, keys });
      return changed;
    }
  }

  const list = async () => parse((await readField(manifest, FIELD))[1]);
  const store: KeyStore = {
    list,
    initialise: async (first) =>
      (await update((keys) => (keys.length === 0 ? first : null))) ?? (await list()),
    async rotate(current, next) {
      const outcome = await update((keys, nowMs) => decideKeyRotation(keys, current, next, nowMs));
      return outcome === null ? "stale" : "rotated";
    },
    async reseal(kid, from, sealed) {
      const outcome = await update((keys) => {
        const isUnchanged = keys.some((key) => key.kid === kid && key.sealed === from);
        return isUnchanged ? keys.map((key) => (key.kid === kid ? { ...key, sealed } : key)) : null;
      });
      return outcome === null ? "stale" : "replaced";
    },
    async remove(kid) {
      await update((keys) => {
        const left = keys.filter((key) => key.kid !== kid);
        return left.length === keys.length ? null : left;
      });
    },
  };

  return {
    store,
    async restoreOnce(onRestored) {
      for (const [, { number, keys }] of acknowledged.recent())
        onRestored(Number(await manifest.runHashScript(restoreKeys, [number, keys])));
    },
  };
}
