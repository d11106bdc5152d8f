import { open, seal } from "../../core/aead.ts";
import type { Entropy } from "../../core/entropy.ts";
import { importSigningKey, type SigningKey } from "../../jwt/sign.ts";
import type { SigningKeyRecord } from "../../stores/store.ts";
import type { SecretKeys, Secrets } from "../secret-keys.ts";

type KeyFacts = Pick<SigningKeyRecord, "kid" | "algorithm" | "createdAt">;

/** The associated data of the AEAD. It binds the sealed key to its record. */
export function associatedData({ kid, algorithm, createdAt }: KeyFacts): string {
  return JSON.stringify(["signing key", kid, algorithm, createdAt]);
}

export function sealSigningKey(
  entropy: Entropy,
  keys: SecretKeys,
  facts: KeyFacts,
  signingKey: SigningKey,
): string {
  const plain = Buffer.from(JSON.stringify(signingKey.privateJwk));
  return seal(entropy, keys.sealing, plain, associatedData(facts));
}

/** `null` when the key was not sealed under one of these secrets for this record. */
export function openSigningKey(secrets: Secrets, record: SigningKeyRecord): SigningKey | null {
  for (const keys of secrets) {
    const plain = open(keys.sealing, record.sealed, associatedData(record));
    if (plain === null) continue;
    const signingKey = importSigningKey(JSON.parse(plain.toString()) as Record<string, unknown>);
    if (signingKey.kid === record.kid) return signingKey;
  }
  return null;
}
