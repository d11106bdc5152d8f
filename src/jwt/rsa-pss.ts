import { constants, createPublicKey, createVerify, type KeyObject } from "node:crypto";
import { digestBytes } from "./algorithms.ts";

/** The last byte of each hash's object identifier, 2.16.840.1.101.3.4.2.x (RFC 8017, B.1). */
const HASH_OIDS = { sha256: "01", sha384: "02", sha512: "03" } as const;

/**
 * Declares an RSA public key for PSS with one hash (RFC 4055 §3.1). OpenSSL itself then requires that hash, MGF1 with
 * the same hash, and a salt as long as its digest (RFC 7518 §3.5). A verification needs no options.
 */
function toPssKey(rsa: KeyObject, hash: keyof typeof HASH_OIDS): KeyObject {
  const hashAlgorithm = encodeDer("30", encodeDer("06", `6086480165030402${HASH_OIDS[hash]}`), "0500");
  const mgf1 = encodeDer("30", encodeDer("06", "2a864886f70d010108"), hashAlgorithm);
  const salt = encodeDer("02", digestBytes(hash).toString(16));
  const parameters = encodeDer(
    "30",
    encodeDer("a0", hashAlgorithm),
    encodeDer("a1", mgf1),
    encodeDer("a2", salt),
  );
  const algorithm = encodeDer("30", encodeDer("06", "2a864886f70d01010a"), parameters);
  const bits = encodeDer("03", "00", rsa.export({ type: "pkcs1", format: "der" }).toString("hex"));
  const key = Buffer.from(encodeDer("30", algorithm, bits), "hex");
  return createPublicKey({ key, format: "der", type: "spki" });
}

/** A public key for PSS with one hash. */
export interface PssKey {
  readonly key: KeyObject;
  /** The key in PEM, where the runtime has no keys for PSS. `null` where `key` itself requires PSS. */
  readonly pem: string | null;
}

/** Makes a key for PSS. Bun and workerd read no such keys, so padding and salt are passed to each verification there. */
export function importPssKey(
  rsa: KeyObject,
  hash: keyof typeof HASH_OIDS,
  toKey: typeof toPssKey = toPssKey,
): PssKey {
  try {
    return { key: toKey(rsa, hash), pem: null };
  } catch {
    return { key: rsa, pem: rsa.export({ type: "spki", format: "pem" }).toString() };
  }
}

/** Verifies a PSS signature by a key in PEM. The one-shot `verify` of workerd ignores the padding. */
export function verifyPss(hash: string, input: Uint8Array, pem: string, signature: Uint8Array): boolean {
  const saltLength = digestBytes(hash as keyof typeof HASH_OIDS);
  return createVerify(hash)
    .update(input)
    .verify({ key: pem, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength }, signature);
}

/** Encodes one DER element (X.690), in hexadecimal. */
function encodeDer(tag: string, ...contents: string[]): string {
  const content = contents.join("");
  const length = content.length / 2;
  const size = length < 0x80 ? "" : length < 0x100 ? "81" : "82";
  return tag + size + length.toString(16).padStart(length < 0x100 ? 2 : 4, "0") + content;
}
