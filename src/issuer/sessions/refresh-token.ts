import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from "node:crypto";
import { open, seal } from "../../core/aead.ts";
import { REFRESH_TOKEN_PREFIX } from "../../core/refresh-token-prefix.ts";
import type { SecretKeys, Secrets } from "../secret-keys.ts";

/**
 * 16 bytes session id, 4 bytes generation (big-endian), 32 bytes secret. With the MAC of 32 bytes the length is a
 * multiple of 3, so base64url has no unused bits and each token has one spelling.
 */
const BODY_BYTES = 52;
const TOKEN_BYTES = BODY_BYTES + 32;
const TOKEN_CHARS = REFRESH_TOKEN_PREFIX.length + (TOKEN_BYTES / 3) * 4;

/** A refresh token that was created here or whose MAC was verified, so its session and generation are authentic. */
export interface RefreshToken {
  readonly text: string;
  /** 32 hexadecimal digits. */
  readonly session: string;
  readonly generation: number;
  readonly secret: Buffer;
  /** The keys of the secret under which the token was created. */
  readonly keys: SecretKeys;
}

function computeMac(keys: SecretKeys, body: Buffer): Buffer {
  return createHmac("sha256", keys.tokenMac).update(body).digest();
}

export function createSessionId(): string {
  return randomBytes(16).toString("hex");
}

export function createRefreshToken(keys: SecretKeys, session: string, generation: number): RefreshToken {
  const secret = randomBytes(32);
  const body = Buffer.alloc(BODY_BYTES);
  body.write(session, "hex");
  body.writeUInt32BE(generation, 16);
  secret.copy(body, 20);
  const text = REFRESH_TOKEN_PREFIX + Buffer.concat([body, computeMac(keys, body)]).toString("base64url");
  return { text, session, generation, secret, keys };
}

/** Needs no store. `null` unless the text is the exact spelling of a token that was issued under one of these secrets. */
export function parseRefreshToken(secrets: Secrets, text: string): RefreshToken | null {
  if (typeof text !== "string" || text.length !== TOKEN_CHARS || !text.startsWith(REFRESH_TOKEN_PREFIX))
    return null;
  const bytes = Buffer.from(text.slice(REFRESH_TOKEN_PREFIX.length), "base64url");
  if (bytes.length !== TOKEN_BYTES || REFRESH_TOKEN_PREFIX + bytes.toString("base64url") !== text)
    return null;
  const body = bytes.subarray(0, BODY_BYTES);
  const keys = secrets.find((one) => timingSafeEqual(computeMac(one, body), bytes.subarray(BODY_BYTES)));
  if (keys === undefined) return null;
  const session = body.toString("hex", 0, 16);
  return { text, session, generation: body.readUInt32BE(16), secret: body.subarray(20), keys };
}

/** Identifies the token in the store. A reader of the store cannot compute the token from it. */
export function digestRefreshToken(token: RefreshToken): string {
  return createHmac("sha256", token.keys.tokenDigest).update(token.text).digest("base64url");
}

/** Derived from the presented token and from the secret of the issuer: opening the successor takes both. */
function successorKey({ keys, secret, session, generation }: RefreshToken): Buffer {
  const info = `holdfast/1 successor ${session} ${generation}`;
  return Buffer.from(hkdfSync("sha256", secret, keys.successorSalt, info, 32));
}

export function sealSuccessor(presented: RefreshToken, successor: RefreshToken): string {
  return seal(successorKey(presented), Buffer.from(successor.text), presented.session);
}

export function openSuccessor(
  secrets: Secrets,
  presented: RefreshToken,
  sealed: string,
): RefreshToken | null {
  const plain = open(successorKey(presented), sealed, presented.session);
  return plain === null ? null : parseRefreshToken(secrets, plain.toString());
}
