import { hkdfSync } from "node:crypto";
import { HoldfastError } from "../core/errors.ts";
import { HmacKey } from "../core/hmac.ts";
import { readString } from "../core/options.ts";

const MIN_SECRET_BYTES = 32;

/** The keys that are derived from one secret, each of 32 bytes and for one purpose. No key can be derived from another. */
export interface SecretKeys {
  /** Identifies the secret in the store without revealing it. */
  readonly fingerprint: string;
  readonly sealing: Buffer;
  readonly tokenMac: HmacKey;
  readonly tokenDigest: HmacKey;
  /** The salt of the keys that seal successors. */
  readonly successorSalt: HmacKey;
  readonly userMac: HmacKey;
  readonly sessionMac: HmacKey;
  readonly attemptDigest: HmacKey;
}

/** The keys of every secret in the list. The first secret seals and signs; every secret can open and verify. */
export type Secrets = readonly [SecretKeys, ...SecretKeys[]];

/** HKDF-SHA-256 (RFC 5869). The secret is random by contract, so HKDF needs no salt. */
function deriveKeys(secret: string): SecretKeys {
  const key = (label: string) => Buffer.from(hkdfSync("sha256", secret, "", `holdfast/1 ${label}`, 32));
  const hmacKey = (label: string) => new HmacKey("sha256", key(label));
  return {
    fingerprint: key("fingerprint").toString("base64url"),
    sealing: key("sealing of signing keys"),
    tokenMac: hmacKey("refresh token MAC"),
    tokenDigest: hmacKey("refresh token digest"),
    successorSalt: hmacKey("refresh token successor"),
    userMac: hmacKey("user MAC"),
    sessionMac: hmacKey("session MAC"),
    attemptDigest: hmacKey("login attempt digest"),
  };
}

/** Derives the keys of every secret in a comma-separated list. Error messages call the list `name` and never show a secret. */
export function deriveSecrets(secret: unknown, name = "secret"): Secrets {
  const list = readString(name, secret).split(",");
  if (list.some((item) => Buffer.byteLength(item.trim()) < MIN_SECRET_BYTES)) {
    throw new HoldfastError(
      "invalid_option",
      `${name} must be at least ${MIN_SECRET_BYTES} random bytes as text, or a comma-separated list of such secrets`,
    );
  }
  const [first, ...others] = list.map((item) => deriveKeys(item.trim()));
  return [first as SecretKeys, ...others];
}
