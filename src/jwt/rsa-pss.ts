import { createPublicKey, type KeyObject } from "node:crypto";
import { digestBytes } from "./algorithms.ts";

/** Last byte of the object identifiers 2.16.840.1.101.3.4.2.x of the hashes (RFC 8017, B.1). */
const hashIds = { sha256: "01", sha384: "02", sha512: "03" } as const;

/**
 * The same public key, declared for PSS with one hash (RFC 4055 §3.1), so that OpenSSL itself holds every signature
 * to that hash, to MGF1 with it and to a salt as long as its digest (RFC 7518 §3.5), without options on each call.
 */
export function pssKey(rsa: KeyObject, hash: keyof typeof hashIds): KeyObject {
  const hashAlgorithm = der("30", der("06", `6086480165030402${hashIds[hash]}`), "0500");
  const mgf1 = der("30", der("06", "2a864886f70d010108"), hashAlgorithm);
  const salt = der("02", digestBytes(hash).toString(16));
  const parameters = der("30", der("a0", hashAlgorithm), der("a1", mgf1), der("a2", salt));
  const algorithm = der("30", der("06", "2a864886f70d01010a"), parameters);
  const bits = der("03", "00", rsa.export({ type: "pkcs1", format: "der" }).toString("hex"));
  const key = Buffer.from(der("30", algorithm, bits), "hex");
  return createPublicKey({ key, format: "der", type: "spki" });
}

/** One element of DER (X.690), in hexadecimal. */
function der(tag: string, ...contents: string[]): string {
  const content = contents.join("");
  const length = content.length / 2;
  const size = length < 0x80 ? "" : length < 0x100 ? "81" : "82";
  return tag + size + length.toString(16).padStart(length < 0x100 ? 2 : 4, "0") + content;
}
