import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from "node:crypto";
import type { Entropy } from "./entropy.ts";

const CIPHER = "aes-256-gcm";
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** For a key in bytes, Node throws and catches an error in each call, which takes longer than the encryption. */
function toKeyObject(key: Buffer | KeyObject): KeyObject {
  return Buffer.isBuffer(key) ? createSecretKey(key) : key;
}

/** Encrypts `plain` with AES-256-GCM, bound to `context`. The result is base64url of IV, ciphertext and tag. */
export function seal(entropy: Entropy, key: Buffer | KeyObject, plain: Buffer, context: string): string {
  const iv = entropy.bytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, toKeyObject(key), iv).setAAD(Buffer.from(context));
  const sealed = Buffer.concat([iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  return sealed.toString("base64url");
}

/** Decrypts what {@link seal} returned. `null` when the key or the context is another, or the text is damaged. */
export function open(key: Buffer | KeyObject, sealed: string, context: string): Buffer | null {
  const bytes = Buffer.from(sealed, "base64url");
  if (bytes.length < IV_BYTES + TAG_BYTES) return null;
  const options = { authTagLength: TAG_BYTES };
  const decipher = createDecipheriv(CIPHER, toKeyObject(key), bytes.subarray(0, IV_BYTES), options);
  decipher.setAAD(Buffer.from(context)).setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()]);
  } catch {
    return null;
  }
}
