import { createHash, createHmac, pbkdf2, scrypt, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { verify as verifyArgon2 } from "@node-rs/argon2";
import { verify as verifyBcrypt } from "@node-rs/bcrypt";

/*
 * Password hashes that other systems made. Each one is verified outside of the main thread. The bounds keep one
 * verification at about two seconds of one core and 256 MiB, because two of them can run at the same time.
 */

const MAX_BCRYPT_COST = 14;
const MAX_MEMORY_BYTES = 256 * 1024 * 1024;
/** Argon2: KiB of memory, times the number of passes. */
const MAX_ARGON2_WORK = 1_048_576;
const MAX_ARGON2_LANES = 16;
/** scrypt: N × r × p. */
const MAX_SCRYPT_WORK = 2 ** 21;
/** PBKDF2: iterations, times the number of blocks of the derived key. */
const MAX_PBKDF2_WORK = 2_000_000;
const MAX_HASH_CHARS = 512;

export type ParsedHash =
  | { readonly status: "known"; readonly verify: (password: Buffer) => Promise<boolean> }
  /** No known spelling, or a malformed one. */
  | { readonly status: "unknown" }
  /** A known spelling whose verification would exceed the bounds. */
  | { readonly status: "costly" };

type Verify = Extract<ParsedHash, { status: "known" }>["verify"];

const unknown: ParsedHash = { status: "unknown" };
const known = (isCheap: boolean, verify: Verify): ParsedHash =>
  isCheap ? { status: "known", verify } : { status: "costly" };

/**
 * Reads bcrypt, scrypt, PBKDF2 and Argon2 in PHC strings and in the spellings of passlib, Django and Werkzeug. Verifies
 * nothing yet.
 */
export function parsePasswordHash(text: string): ParsedHash {
  if (text.length > MAX_HASH_CHARS) return unknown;
  for (const parse of [parseArgon2, parseBcrypt, parseBcryptSha256, parseScrypt, parsePbkdf2]) {
    const parsed = parse(text);
    if (parsed !== null) return parsed;
  }
  return unknown;
}

/** `argon2` before the string is the spelling of Django. A string without version has version 16. */
function parseArgon2(text: string): ParsedHash | null {
  const form =
    /^(?:argon2)?\$(argon2(?:id|i|d))(?:\$v=(16|19))?\$m=(\d{1,7}),t=(\d{1,4}),p=(\d{1,3})\$([\w+/]{11,64})\$([\w+/]{14,86})$/;
  const [, variant, version = "16", m, t, p, salt = "", digest = ""] = form.exec(text) ?? [];
  if (variant === undefined) return null;
  const [memory, passes, lanes] = [Number(m), Number(t), Number(p)];
  if (decode(salt) === null || decode(digest) === null) return unknown;
  if (passes < 1 || lanes < 1 || memory < 8 * lanes) return unknown;
  const isCheap =
    memory * 1024 <= MAX_MEMORY_BYTES && memory * passes <= MAX_ARGON2_WORK && lanes <= MAX_ARGON2_LANES;
  const phc = `$${variant}$v=${version}$m=${memory},t=${passes},p=${lanes}$${salt}$${digest}`;
  return known(isCheap, async (password) => await verifyArgon2(phc, password));
}

/** A prefix `bcrypt$` or `bcrypt_sha256$` is the spelling of Django. The latter hashes the SHA-256 in hexadecimal. */
function parseBcrypt(text: string): ParsedHash | null {
  const form = /^(bcrypt(?:_sha256)?\$)?(\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53})$/;
  const [, prefix, hash, cost] = form.exec(text) ?? [];
  if (hash === undefined) return null;
  const prepare =
    prefix === "bcrypt_sha256$"
      ? (password: Buffer) => Buffer.from(createHash("sha256").update(password).digest("hex"))
      : (password: Buffer) => password;
  return bcryptOf(hash, Number(cost), prepare);
}

/** passlib: bcrypt of the SHA-256 (version 1) or of the HMAC-SHA-256 under the salt (version 2), in base64. */
function parseBcryptSha256(text: string): ParsedHash | null {
  const form =
    /^\$bcrypt-sha256\$(?:v=(2),t=)?(2[ab]),(?:r=)?(\d{1,2})\$([./A-Za-z0-9]{22})\$([./A-Za-z0-9]{31})$/;
  const [, version, variant, cost = "", salt = "", digest] = form.exec(text) ?? [];
  if (variant === undefined) return null;
  const hash = `$${variant}$${cost.padStart(2, "0")}$${salt}${digest}`;
  return bcryptOf(hash, Number(cost), (password) => {
    const mac = version === "2" ? createHmac("sha256", salt) : createHash("sha256");
    return Buffer.from(mac.update(password).digest("base64"));
  });
}

function bcryptOf(hash: string, cost: number, prepare: (password: Buffer) => Buffer): ParsedHash {
  if (cost < 4 || cost > 31) return unknown;
  // The variants 2a, 2b and 2y differ only for passwords of more than 255 bytes and in old defects.
  const modern = hash.replace(/^\$2[ay]/, "$2b");
  return known(cost <= MAX_BCRYPT_COST, async (password) => await verifyBcrypt(prepare(password), modern));
}

const deriveScrypt = promisify<Buffer, Buffer, number, object, Buffer>(scrypt);

function parseScrypt(text: string): ParsedHash | null {
  const phc = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,4}),p=(\d{1,4})\$([\w+/]+)\$([\w+/]+)$/.exec(text);
  const django = /^scrypt\$(\d{1,9})\$([^$]+)\$(\d{1,4})\$(\d{1,4})\$([\w+/]+=*)$/.exec(text);
  const werkzeug = /^scrypt:(\d{1,9}):(\d{1,4}):(\d{1,4})\$([^$]+)\$([0-9a-f]+)$/.exec(text);
  if (phc !== null) {
    const [, ln, r, p, salt = "", digest = ""] = phc;
    return scryptOf([2 ** Number(ln), Number(r), Number(p)], decode(salt), decode(digest));
  }
  if (django !== null) {
    const [, n, salt = "", r, p, digest = ""] = django;
    return scryptOf([Number(n), Number(r), Number(p)], Buffer.from(salt), decode(digest));
  }
  if (werkzeug === null) return null;
  const [, n, r, p, salt = "", digest = ""] = werkzeug;
  return scryptOf([Number(n), Number(r), Number(p)], Buffer.from(salt), decodeHex(digest));
}

type ScryptCost = readonly [N: number, r: number, p: number];

function scryptOf([N, r, p]: ScryptCost, salt: Buffer | null, digest: Buffer | null): ParsedHash {
  const isPower = N > 1 && N <= 2 ** 31 && Number.isInteger(Math.log2(N));
  if (salt === null || digest === null || !isPower || r < 1 || p < 1) return unknown;
  const isCheap = 128 * N * r <= MAX_MEMORY_BYTES && N * r * p <= MAX_SCRYPT_WORK;
  return known(isCheap, async (password) => {
    const maxmem = 2 * MAX_MEMORY_BYTES;
    return timingSafeEqual(await deriveScrypt(password, salt, digest.length, { N, r, p, maxmem }), digest);
  });
}

const derivePbkdf2 = promisify<Buffer, Buffer, number, number, string, Buffer>(pbkdf2);

const DIGEST_BYTES: Readonly<Record<string, number>> = { sha1: 20, sha256: 32, sha512: 64 };

function parsePbkdf2(text: string): ParsedHash | null {
  const phc = /^\$pbkdf2(?:-(sha1|sha256|sha512))?\$i=(\d{1,9})(?:,l=(\d{1,3}))?\$([\w+/]+)\$([\w+/]+)$/.exec(
    text,
  );
  // passlib has a dot in place of the plus sign of base64, and {PBKDF2-SHA256} in its spelling for LDAP.
  const passlib =
    /^(?:\$pbkdf2(?:-(sha256|sha512))?\$|\{PBKDF2(?:-(SHA256|SHA512))?\})(\d{1,9})\$([\w./]+)\$([\w./]+)$/.exec(
      text,
    );
  const django = /^pbkdf2_(sha1|sha256|sha512)\$(\d{1,9})\$([^$]+)\$([\w+/]+=*)$/.exec(text);
  const werkzeug = /^pbkdf2:(sha1|sha256|sha512):(\d{1,9})\$([^$]+)\$([0-9a-f]+)$/.exec(text);
  if (phc !== null) {
    const [, digest = "sha1", iterations, length, salt = "", key = ""] = phc;
    const bytes = decode(key);
    if (length !== undefined && bytes?.length !== Number(length)) return unknown;
    return pbkdf2Of(digest, Number(iterations), decode(salt), bytes);
  }
  if (passlib !== null) {
    const [, modular, ldap, iterations, salt = "", key = ""] = passlib;
    const digest = (modular ?? ldap ?? "sha1").toLowerCase();
    return pbkdf2Of(digest, Number(iterations), decode(salt, "."), decode(key, "."));
  }
  const found = django ?? werkzeug;
  if (found === null) return null;
  const [, digest = "", iterations, salt = "", key = ""] = found;
  const bytes = django === null ? decodeHex(key) : decode(key);
  return pbkdf2Of(digest, Number(iterations), Buffer.from(salt), bytes);
}

function pbkdf2Of(digest: string, iterations: number, salt: Buffer | null, key: Buffer | null): ParsedHash {
  if (salt === null || key === null || iterations < 1) return unknown;
  const blocks = Math.ceil(key.length / (DIGEST_BYTES[digest] ?? 1));
  return known(iterations * blocks <= MAX_PBKDF2_WORK, async (password) =>
    timingSafeEqual(await derivePbkdf2(password, salt, iterations, key.length, digest), key),
  );
}

/** A derived key of fewer bytes would match too many passwords. */
const MIN_KEY_BYTES = 8;
const MAX_KEY_BYTES = 128;

/** Decodes base64 with or without padding. `null` unless it is the one spelling of 8 to 128 bytes. */
function decode(text: string, plus = "+"): Buffer | null {
  const unpadded = text.replace(/={1,2}$/, "").replaceAll(plus, "+");
  const bytes = Buffer.from(unpadded, "base64");
  const isCanonical = bytes.toString("base64").replace(/=+$/, "") === unpadded;
  return isCanonical && isKeyLength(bytes) ? bytes : null;
}

function decodeHex(text: string): Buffer | null {
  const bytes = Buffer.from(text, "hex");
  return bytes.length * 2 === text.length && isKeyLength(bytes) ? bytes : null;
}

function isKeyLength({ length }: Buffer): boolean {
  return length >= MIN_KEY_BYTES && length <= MAX_KEY_BYTES;
}
