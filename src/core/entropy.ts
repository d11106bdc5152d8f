import { randomBytes, randomUUID } from "node:crypto";

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

/** The entropy of the operating system. */
export const systemEntropy: Entropy = { bytes: (length) => randomBytes(length), uuid: () => randomUUID() };

/** Returns a number from 0 up to 1, for jitter. No secret is made of it. */
export const systemRandom = (): number => Math.random();
