import { importSigningKey, type SigningKey } from "../../jwt/sign.ts";
import type { SigningKeyRecord } from "../../stores/store.ts";
import { open, seal } from "../../core/aead.ts";
import type { SecretKeys, Secrets } from "../secret-keys.ts";

type KeyFacts = Pick<SigningKeyRecord, "kid" | "algorithm" | "createdAt">;

/** What a sealed key is bound to. */
export function associatedData({ kid, algorithm, createdAt }: KeyFacts): string {
  return JSON.stringify(["signing key", kid, algorithm, createdAt]);
}

export function sealSigningKey(keys: SecretKeys, facts: KeyFacts, signing: SigningKey): string {
  return seal(keys.sealing, Buffer.from(JSON.stringify(signing.privateJwk)), associatedData(facts));
}

/** `null` when none of the secrets sealed it, as this record. */
export function openSigningKey(secrets: Secrets, record: SigningKeyRecord): SigningKey | null {
  for (const keys of secrets) {
    const plain = open(keys.sealing, record.sealed, associatedData(record));
    if (plain === null) continue;
    const signing = importSigningKey(JSON.parse(plain.toString()) as Record<string, unknown>);
    if (signing.kid === record.kid) return signing;
  }
  return null;
}
