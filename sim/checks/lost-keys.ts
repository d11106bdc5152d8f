import type { Facts, IssuedToken } from "./facts.ts";
import type { RecordedOperation } from "./run-history.ts";

/** While the store cannot be read, a service signs with keys that it has read this long ago, and its clock may be slow. */
const MAX_KEYS_AGE_MS = 61_000;

/**
 * Whether the store may have lost the key that signed a token when an operation used the token, because it has lost a
 * rotation of keys. No service knows the key until the process that rotated applies its change again. A token with the
 * key is refused as one of an unknown key meanwhile (docs/run/redis.md).
 */
export function mayHaveLostKey(
  { began: usedAt }: Pick<RecordedOperation, "began">,
  { receivedAt }: IssuedToken,
  { losses, operations }: Pick<Facts, "losses" | "operations">,
): boolean {
  const lost = losses.all.filter(
    ({ reportedAt, restoredAt }) =>
      receivedAt <= reportedAt + MAX_KEYS_AGE_MS && usedAt <= restoredAt + MAX_KEYS_AGE_MS,
  );
  if (lost.length === 0) return false;
  const rotations = operations.filter(({ operation }) => operation === "rotate keys");
  return lost.some(({ changes }) =>
    changes.some(
      ({ at, keys, isWhole }) =>
        isWhole !== true &&
        at <= receivedAt &&
        (keys?.some((key) => key.endsWith("{store}")) ?? true) &&
        rotations.some(({ began, ended }) => began <= at && at <= ended),
    ),
  );
}
