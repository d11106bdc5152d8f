import type { SigningKeyRecord } from "../store.ts";

/** The removals that the store remembers. A lost change is applied again within minutes, and few keys are removed then. */
const MAX_REMOVED = 64;

export interface KeySet {
  readonly keys: readonly SigningKeyRecord[];
  /** `kid` of the keys that were removed last, oldest first. */
  readonly removed: readonly string[];
}

/** A key set after a change that this process has acknowledged. */
export interface AcknowledgedKeySet extends KeySet {
  /** The sealed keys that this process has replaced. */
  readonly replaced: ReadonlySet<string>;
}

export function removeKey({ keys, removed }: KeySet, kid: string): KeySet {
  return {
    keys: keys.filter((key) => key.kid !== kid),
    removed: addRemoved(removed, [kid]),
  };
}

/**
 * Applies what the store has lost of an acknowledged key set. A key is published, then active, then retired, then removed,
 * and never goes back. So the later state of each key is the newer one, whatever the clocks of the servers say.
 */
export function mergeKeySets(standing: KeySet, acknowledged: AcknowledgedKeySet, nowMs: number): KeySet {
  const removed = addRemoved(standing.removed, acknowledged.removed);
  const isLeft = ({ kid }: SigningKeyRecord) => !removed.includes(kid);
  const known = new Map(acknowledged.keys.map((key) => [key.kid, key]));
  const left = standing.keys.filter(isLeft);
  // The key that the store calls active stays active, unless the acknowledged change has retired it.
  const staysActive = left.some((key) => isActive(key) && !isRetired(known.get(key.kid)));
  const merged = left.map((key) => {
    const own = known.get(key.kid);
    if (own === undefined) return key;
    const sealed = acknowledged.replaced.has(key.sealed) ? own.sealed : key.sealed;
    const isNewer = !isRetired(key) && (isRetired(own) || (isNext(key) && isActive(own) && !staysActive));
    return isNewer
      ? { ...key, sealed, activatedAt: own.activatedAt, retiredAt: own.retiredAt }
      : { ...key, sealed };
  });
  const hasNext = merged.some(isNext);
  const stored = new Set(standing.keys.map(({ kid }) => kid));
  const added = acknowledged.keys
    .filter((key) => isLeft(key) && !stored.has(key.kid) && !(isNext(key) && hasNext))
    .map((key) => (isActive(key) && staysActive ? { ...key, retiredAt: nowMs } : key));
  const keys = [...merged, ...added];
  if (keys.some(isActive)) return { keys, removed };
  const next = keys.find(isNext);
  // The issuer cannot sign if no key is active.
  if (next === undefined) return standing;
  return { keys: keys.map((key) => (key === next ? { ...key, activatedAt: nowMs } : key)), removed };
}

function addRemoved(removed: readonly string[], kids: readonly string[]): readonly string[] {
  return [...new Set([...removed, ...kids])].slice(-MAX_REMOVED);
}

function isNext({ activatedAt, retiredAt }: SigningKeyRecord): boolean {
  return activatedAt === null && retiredAt === null;
}

function isActive({ activatedAt, retiredAt }: SigningKeyRecord): boolean {
  return activatedAt !== null && retiredAt === null;
}

function isRetired(key: SigningKeyRecord | undefined): boolean {
  return key !== undefined && key.retiredAt !== null;
}
