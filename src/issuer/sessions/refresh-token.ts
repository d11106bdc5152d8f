import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from "node:crypto";
import { open, seal } from "../../core/aead.ts";
import { REFRESH_TOKEN_PREFIX } from "../../core/refresh-token-prefix.ts";
import type { SecretKeys, Secrets } from "../secret-keys.ts";

/**
 * 16 bytes session id, 4 bytes generation (big-endian), 32 bytes secret. With the MAC of 32 bytes the length is a
 * multiple of 3, so base64url has no unused bits and each token has one spelling.
 *
 * The secret begins with 16 random bytes. Then follow three times of 4 bytes, in seconds: when the token was issued, how
 * long it stays valid without use, and when the session expires. The last 4 bytes mark a token that has these times.
 * Older versions made all 32 bytes random. They accept the new tokens, because only the mark distinguishes them.
 */
const BODY_BYTES = 52;
const TIMES_AT = 36;
const MARK_AT = 48;
const TOKEN_BYTES = BODY_BYTES + 32;
const TOKEN_CHARS = REFRESH_TOKEN_PREFIX.length + (TOKEN_BYTES / 3) * 4;

/** How long a refresh token is valid. */
export interface RefreshTokenLifetime {
  /** The token expires when it was not used for this long. */
  readonly idleMs: number;
  /** When the session expires, epoch ms. */
  readonly absoluteExpiresAt: number;
}

/** The times in a refresh token, accurate to a second. */
export interface RefreshTokenTimes extends RefreshTokenLifetime {
  /** Epoch ms. */
  readonly issuedAt: number;
  /** When the token expires unless it is used, epoch ms. */
  readonly expiresAt: number;
}

/** A refresh token that was created here or whose MAC was verified, so its session and generation are authentic. */
export interface RefreshToken {
  readonly text: string;
  /** 32 hexadecimal digits. */
  readonly session: string;
  readonly generation: number;
  readonly secret: Buffer;
  /** `null` for a token of an older version. */
  readonly times: RefreshTokenTimes | null;
  /** The keys of the secret under which the token was created. */
  readonly keys: SecretKeys;
}

function computeMac(keys: SecretKeys, body: Buffer): Buffer {
  return createHmac("sha256", keys.tokenMac).update(body).digest();
}

/** A token without times has this mark by chance once in 2^32 tokens. */
function computeMark(keys: SecretKeys, body: Buffer): Buffer {
  const marked = Buffer.concat([Buffer.from("holdfast/1 times"), body.subarray(0, MARK_AT)]);
  return createHmac("sha256", keys.tokenMac)
    .update(marked)
    .digest()
    .subarray(0, BODY_BYTES - MARK_AT);
}

export function createSessionId(): string {
  return randomBytes(16).toString("hex");
}

/** `now` is when the token is issued, epoch ms. */
export function createRefreshToken(
  keys: SecretKeys,
  { session, generation }: Pick<RefreshToken, "session" | "generation">,
  { idleMs, absoluteExpiresAt }: RefreshTokenLifetime,
  now: number,
): RefreshToken {
  const body = Buffer.alloc(BODY_BYTES);
  body.write(session, "hex");
  body.writeUInt32BE(generation, 16);
  randomBytes(TIMES_AT - 20).copy(body, 20);
  const seconds = [Math.floor(now / 1000), Math.ceil(idleMs / 1000), Math.ceil(absoluteExpiresAt / 1000)];
  for (const [i, value] of seconds.entries()) body.writeUInt32BE(value, TIMES_AT + 4 * i);
  computeMark(keys, body).copy(body, MARK_AT);
  const text = REFRESH_TOKEN_PREFIX + Buffer.concat([body, computeMac(keys, body)]).toString("base64url");
  return { text, session, generation, secret: body.subarray(20), times: readTimes(keys, body), keys };
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
  const times = readTimes(keys, body);
  return { text, session, generation: body.readUInt32BE(16), secret: body.subarray(20), times, keys };
}

function readTimes(keys: SecretKeys, body: Buffer): RefreshTokenTimes | null {
  if (!computeMark(keys, body).equals(body.subarray(MARK_AT))) return null;
  const milliseconds = (index: number) => body.readUInt32BE(TIMES_AT + 4 * index) * 1000;
  const issuedAt = milliseconds(0);
  const idleMs = milliseconds(1);
  const absoluteExpiresAt = milliseconds(2);
  return { issuedAt, idleMs, absoluteExpiresAt, expiresAt: Math.min(issuedAt + idleMs, absoluteExpiresAt) };
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
