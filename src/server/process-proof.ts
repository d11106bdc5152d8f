import { createHmac, timingSafeEqual } from "node:crypto";
import { systemEntropy } from "../core/entropy.ts";

/** Returns 32 random bytes as base64url: the nonce of a process, or a challenge. */
export function randomNonce(): string {
  return systemEntropy.bytes(32).toString("base64url");
}

/** Whether `text` has the form of a challenge. */
export function isChallenge(text: string | undefined): text is string {
  return text !== undefined && /^[\w-]{43}$/.test(text);
}

/** The answer to a challenge. It shows that a process knows the nonce, and does not reveal the nonce. */
export function proveNonce(nonce: string, challenge: string): string {
  return createHmac("sha256", nonce).update(challenge).digest("base64url");
}

export function isProofOf(nonce: string, challenge: string, proof: unknown): boolean {
  const expected = Buffer.from(proveNonce(nonce, challenge));
  const given = Buffer.from(typeof proof === "string" ? proof : "");
  return given.length === expected.length && timingSafeEqual(given, expected);
}
