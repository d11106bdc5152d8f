import type { SigningKeyRecord } from "./store.ts";

/**
 * Returns the keys after a rotation, or `null` when the rotation is stale: `current` does not sign, or no published key
 * can replace it. The key `current` is retired, the published key is activated and `next` is appended.
 *
 * @example
 * ```ts
 * import { decideKeyRotation, type SigningKeyRecord } from "holdfast/store-kit";
 *
 * declare const keys: readonly SigningKeyRecord[];
 * declare const next: SigningKeyRecord;
 *
 * const rotated = decideKeyRotation(keys, "the kid that signs", next, Date.now());
 * ```
 */
export function decideKeyRotation(
  keys: readonly SigningKeyRecord[],
  current: string,
  next: SigningKeyRecord,
  nowMs: number,
): readonly SigningKeyRecord[] | null {
  const inUse = keys.filter((key) => key.retiredAt === null);
  const signing = inUse.find((key) => key.kid === current && key.activatedAt !== null);
  const published = inUse.find((key) => key.activatedAt === null);
  if (signing === undefined || published === undefined) return null;
  const rotated = keys.map((key) => {
    if (key.kid === signing.kid) return { ...key, retiredAt: nowMs };
    return key.kid === published.kid ? { ...key, activatedAt: nowMs } : key;
  });
  return [...rotated, next];
}
