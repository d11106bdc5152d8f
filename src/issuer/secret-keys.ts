import { hkdfSync } from "node:crypto";
import { HoldfastError } from "../core/errors.ts";
import { readString } from "../core/options.ts";

/** What one secret of the list is turned into: a key of 32 bytes for each purpose, none of which tells another. */
export interface SecretKeys {
  /** Names the secret in the store without telling it. */
  readonly fingerprint: string;
  readonly sealing: Buffer;
  readonly tokenMac: Buffer;
  readonly tokenDigest: Buffer;
  readonly successorSalt: Buffer;
  readonly userMac: Buffer;
  readonly sessionMac: Buffer;
}

/** The first seals and signs; all open and verify. */
export type Secrets = readonly [SecretKeys, ...SecretKeys[]];

/** HKDF-SHA-256 (RFC 5869). The secret is random by contract, so no salt is needed. */
function deriveKeys(secret: string): SecretKeys {
  const key = (label: string) => Buffer.from(hkdfSync("sha256", secret, "", `holdfast/1 ${label}`, 32));
  return {
    fingerprint: key("fingerprint").toString("base64url"),
    sealing: key("sealing of signing keys"),
    tokenMac: key("refresh token MAC"),
    tokenDigest: key("refresh token digest"),
    successorSalt: key("refresh token successor"),
    userMac: key("user MAC"),
    sessionMac: key("session MAC"),
  };
}

/** Takes the comma list apart. Every secret is at least 32 bytes; the message never shows one. */
export function deriveSecrets(secret: unknown): Secrets {
  const list = readString("secret", secret).split(",");
  if (list.some((one) => Buffer.byteLength(one.trim()) < 32)) {
    throw new HoldfastError(
      "invalid_option",
      "secret must be at least 32 random bytes as text, or a comma list of such",
    );
  }
  const [first, ...others] = list.map((one) => deriveKeys(one.trim()));
  return [first as SecretKeys, ...others];
}
