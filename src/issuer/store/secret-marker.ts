import { HoldfastError } from "../../core/errors.ts";
import type { IssuerBase } from "../issuer-base.ts";

/** Names the marker with the fingerprint of the secret under which records are sealed now. */
export const SECRET_MARKER = "secret";

/** Returns the error that tells that another process has put a secret first which this process does not know, or `null`. */
export async function findReplacement({ store, secrets }: IssuerBase): Promise<HoldfastError | null> {
  const current = await store.markers.read(SECRET_MARKER);
  if (current === null || secrets.some(({ fingerprint }) => fingerprint === current)) return null;
  const message = `another process has replaced the secret of the store (${store.description}): restart this one with the new secret, too`;
  return new HoldfastError("store_mismatch", message);
}

/**
 * Rejects with `store_mismatch` when another process has replaced the secret by one that this process does not know. A
 * record that does not verify then proves no tampering.
 */
export async function rejectIfSecretReplaced(base: IssuerBase): Promise<void> {
  const replacement = await findReplacement(base);
  if (replacement !== null) throw replacement;
}
