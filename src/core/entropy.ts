import { randomBytes, randomFillSync, randomUUID } from "node:crypto";

/**
 * The only source of unpredictable bytes. Every part takes it as it takes a clock, so that a virtual system can be
 * replayed byte for byte. Outside of such a system it must be that of the operating system, because secrets, keys and
 * ids are made of it.
 */
export interface Entropy {
  /** Returns `length` new bytes that nobody can predict. */
  bytes(length: number): Buffer;
  /** Returns a new random UUID (RFC 9562 §5.4). */
  uuid(): string;
}

/** A request of the operating system for a few bytes takes twenty times as long as taking them from this pool. */
const POOL_BYTES = 1_024;
const MAX_POOLED_BYTES = 64;

/** Returns a source of short pieces of one random buffer. A piece is removed from the buffer when it is taken. */
function createPool(): Entropy["bytes"] {
  const pool = Buffer.alloc(POOL_BYTES);
  let next = POOL_BYTES;
  return (length) => {
    if (length > MAX_POOLED_BYTES) return randomBytes(length);
    if (next + length > POOL_BYTES) {
      randomFillSync(pool);
      next = 0;
    }
    const piece = Buffer.from(pool.subarray(next, next + length));
    pool.fill(0, next, next + length);
    next += length;
    return piece;
  };
}

/** The entropy of the operating system. */
export const systemEntropy: Entropy = { bytes: createPool(), uuid: () => randomUUID() };

/** Returns a number from 0 up to 1, for jitter. No secret is made of it. */
export const systemRandom = (): number => Math.random();

/** Whether `random` is that of the platform, under either name. */
export function isSystemRandom(random: () => number): boolean {
  return random === systemRandom || random === Math.random;
}
