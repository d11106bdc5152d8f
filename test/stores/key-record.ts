import type { SigningKeyRecord } from "../../src/stores/store.ts";

/** The record of a signing key that was created first of all. It is the next key when it has no time of activation. */
export const keyRecord = (kid: string, activatedAt: number | null = null): SigningKeyRecord => ({
  kid,
  algorithm: "ES256",
  sealed: `sealed ${kid}`,
  createdAt: 1,
  activatedAt,
  retiredAt: null,
});
