import { hash, timingSafeEqual } from "node:crypto";
import { open, seal } from "../../core/aead.ts";
import { systemEntropy, type Entropy } from "../../core/entropy.ts";
import { hkdf32 } from "../../core/hmac.ts";
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
interface RefreshTokenTimes extends RefreshTokenLifetime {
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
  /** The client that the token is bound to (RFC 6749 §6). `null` for a first-party session. */
  readonly client: string | null;
  /** The keys of the secret under which the token was created. */
  readonly keys: SecretKeys;
}

/** The MAC covers the client, so that the token of another client is refused without the store. */
function computeMac(keys: SecretKeys, body: Buffer, client: string | null): Buffer {
  return keys.tokenMac.digestBytes(
    client === null ? body : Buffer.concat([body, Buffer.from(`\0${client}`)]),
  );
}

/** A token without times has this mark by chance once in 2^32 tokens. */
function computeMark(keys: SecretKeys, body: Buffer): Buffer {
  const marked = Buffer.concat([Buffer.from("holdfast/1 times"), body.subarray(0, MARK_AT)]);
  return keys.tokenMac.digestBytes(marked).subarray(0, BODY_BYTES - MARK_AT);
}

export function createSessionId(entropy: Entropy = systemEntropy): string {
  return entropy.bytes(16).toString("hex");
}

/**
 * The id of the only session that a proof of the subject's login can begin. The store takes each id once. The id is a
 * digest and needs no secret, so that processes with different secrets agree about it.
 */
export function sessionIdOfProof(issuer: string, subject: string, proof: string): string {
  const parts = JSON.stringify(["holdfast/1 session of a proof", issuer, subject, proof]);
  return hash("sha256", parts, "hex").slice(0, 32);
}

type NextToken = Pick<RefreshToken, "session" | "generation"> & Partial<Pick<RefreshToken, "client">>;

/** `now` is when the token is issued, epoch ms. */
export function createRefreshToken(
  keys: SecretKeys,
  { session, generation, client = null }: NextToken,
  { idleMs, absoluteExpiresAt }: RefreshTokenLifetime,
  now: number,
  entropy: Entropy = systemEntropy,
): RefreshToken {
  const body = Buffer.alloc(BODY_BYTES);
  body.write(session, "hex");
  body.writeUInt32BE(generation, 16);
  entropy.bytes(TIMES_AT - 20).copy(body, 20);
  const seconds = [Math.floor(now / 1000), Math.ceil(idleMs / 1000), Math.ceil(absoluteExpiresAt / 1000)];
  for (const [i, value] of seconds.entries()) body.writeUInt32BE(value, TIMES_AT + 4 * i);
  computeMark(keys, body).copy(body, MARK_AT);
  const text =
    REFRESH_TOKEN_PREFIX + Buffer.concat([body, computeMac(keys, body, client)]).toString("base64url");
  const times = timesIn(body);
  return { text, session, generation, secret: body.subarray(20), times, client, keys };
}

/** Whether the text has the prefix and the length of a refresh token, whichever secret made it. */
export function hasRefreshTokenShape(text: unknown): text is string {
  return typeof text === "string" && text.length === TOKEN_CHARS && text.startsWith(REFRESH_TOKEN_PREFIX);
}

/**
 * Needs no store. `null` unless the text is the exact spelling of a token that was issued under one of these secrets, in
 * a first-party session or to this client.
 */
export function parseRefreshToken(
  secrets: Secrets,
  text: string,
  client: string | null = null,
): RefreshToken | null {
  if (!hasRefreshTokenShape(text)) return null;
  const bytes = Buffer.from(text.slice(REFRESH_TOKEN_PREFIX.length), "base64url");
  if (bytes.length !== TOKEN_BYTES || REFRESH_TOKEN_PREFIX + bytes.toString("base64url") !== text)
    return null;
  const body = bytes.subarray(0, BODY_BYTES);
  const mac = bytes.subarray(BODY_BYTES);
  const find = (owner: string | null) =>
    secrets.find((one) => timingSafeEqual(computeMac(one, body, owner), mac));
  const firstParty = find(null);
  const keys = firstParty ?? (client === null ? undefined : find(client));
  if (keys === undefined) return null;
  const session = body.toString("hex", 0, 16);
  const times = readTimes(keys, body);
  const generation = body.readUInt32BE(16);
  const owner = firstParty === undefined ? client : null;
  return { text, session, generation, secret: body.subarray(20), times, client: owner, keys };
}

/** Parses a token whichever client it is bound to, for requests that need no client authentication. */
export function parseAnyRefreshToken(
  {
    secrets,
    config,
  }: { readonly secrets: Secrets; readonly config: { readonly clients: readonly { id: string }[] } },
  text: string,
): RefreshToken | null {
  const own = parseRefreshToken(secrets, text);
  if (own !== null) return own;
  for (const { id } of config.clients) {
    const token = parseRefreshToken(secrets, text, id);
    if (token !== null) return token;
  }
  return null;
}

function readTimes(keys: SecretKeys, body: Buffer): RefreshTokenTimes | null {
  return computeMark(keys, body).equals(body.subarray(MARK_AT)) ? timesIn(body) : null;
}

function timesIn(body: Buffer): RefreshTokenTimes {
  const milliseconds = (index: number) => body.readUInt32BE(TIMES_AT + 4 * index) * 1000;
  const issuedAt = milliseconds(0);
  const idleMs = milliseconds(1);
  const absoluteExpiresAt = milliseconds(2);
  return { issuedAt, idleMs, absoluteExpiresAt, expiresAt: Math.min(issuedAt + idleMs, absoluteExpiresAt) };
}

/** Identifies the token in the store. A reader of the store cannot compute the token from it. */
export function digestRefreshToken(token: RefreshToken): string {
  return token.keys.tokenDigest.digest(token.text).toString("base64url");
}

/** Derived from the presented token and from the secret of the issuer: opening the successor takes both. */
function successorKey({ keys, secret, session, generation }: RefreshToken): Buffer {
  return hkdf32(keys.successorSalt, secret, `holdfast/1 successor ${session} ${generation}`);
}

export function sealSuccessor(
  presented: RefreshToken,
  successor: RefreshToken,
  entropy: Entropy = systemEntropy,
): string {
  return seal(entropy, successorKey(presented), Buffer.from(successor.text), presented.session);
}

export function openSuccessor(
  secrets: Secrets,
  presented: RefreshToken,
  sealed: string,
): RefreshToken | null {
  const plain = open(successorKey(presented), sealed, presented.session);
  return plain === null ? null : parseRefreshToken(secrets, plain.toString(), presented.client);
}
