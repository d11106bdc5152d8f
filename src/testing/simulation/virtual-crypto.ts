import nodeCrypto, { KeyObject } from "node:crypto";
import { promisify } from "node:util";
import type { Entropy } from "../../core/entropy.ts";

/** PKCS #8 of an Ed25519 key, up to its 32 secret bytes (RFC 8410). */
const ED25519_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");

type KeyPair = { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
type KeyPairCallback = (error: Error | null, publicKey?: KeyObject, privateKey?: KeyObject) => void;

/**
 * The members of `node:crypto` and of Web Crypto that draw random numbers or use the thread pool, made deterministic. An
 * Ed25519 key comes from `random`. Other keys are made by the platform, at once, and differ from run to run.
 */
export function virtualCrypto(random: () => number): {
  readonly entropy: Entropy;
  readonly node: Readonly<Record<string, unknown>>;
  readonly web: Readonly<Record<string, unknown>>;
} {
  const generateKeyPairSync = nodeCrypto.generateKeyPairSync as (type: string, options?: object) => KeyPair;
  const { createHash, createPrivateKey, createPublicKey, verify, sign } = nodeCrypto;
  const { fill, ...randomNumbers } = virtualRandomNumbers(random);
  const makePair = (type: string, options?: object): KeyPair => {
    // With an encoding, the platform returns texts in place of keys.
    if (type !== "ed25519" || options !== undefined) return generateKeyPairSync(type, options);
    const key = Buffer.concat([ED25519_PREFIX, fill(Buffer.alloc(32))]);
    const privateKey = createPrivateKey({ key, format: "der", type: "pkcs8" });
    return { privateKey, publicKey: createPublicKey(privateKey) };
  };
  const generateKeyPair = (type: string, given: object | KeyPairCallback, callback?: KeyPairCallback) => {
    const settle = callback ?? (given as KeyPairCallback);
    const { publicKey, privateKey } = makePair(type, callback === undefined ? undefined : given);
    queueMicrotask(() => settle(null, publicKey, privateKey));
  };
  Object.defineProperty(generateKeyPair, promisify.custom, {
    value: async (type: string, options?: object) => await Promise.resolve(makePair(type, options)),
  });

  type Callback = (error: Error | null, result?: unknown) => void;
  /** Does the work at once, where the platform would use its thread pool. */
  const atOnce =
    (work: (...args: never[]) => unknown, arity: number) =>
    (...args: unknown[]): unknown => {
      const callback = args[arity] as Callback | undefined;
      const result = work(...(args.slice(0, arity) as never[]));
      if (callback !== undefined) queueMicrotask(() => callback(null, result));
      return callback === undefined ? result : undefined;
    };

  const digest = async (algorithm: string | { name: string }, data: ArrayBuffer | ArrayBufferView) => {
    const name = (typeof algorithm === "string" ? algorithm : algorithm.name).replace("-", "").toLowerCase();
    const view = ArrayBuffer.isView(data) ? data : new Uint8Array(data);
    const hash = createHash(name).update(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
    return await Promise.resolve(new Uint8Array(hash.digest()).buffer);
  };
  return {
    entropy: { bytes: (length) => fill(Buffer.alloc(length)), uuid: randomNumbers.randomUUID },
    node: {
      ...randomNumbers,
      generateKeyPair,
      generateKeyPairSync: makePair,
      verify: atOnce(rememberVerifications(verify), 4),
      sign: atOnce(sign, 3),
    },
    web: { getRandomValues: fill, randomUUID: randomNumbers.randomUUID, digest },
  };
}

/** Signatures whose verification is remembered. Above it all are forgotten. */
const MAX_REMEMBERED = 10_000;

/** The length of an Ed25519 signature (RFC 8032 §5.1.6). */
const ED25519_BYTES = 64;

type Verify = (algorithm: string | null, data: Buffer, key: KeyObject, signature: Buffer) => boolean;

/**
 * Verifies each signature once, because many processes of a world verify the same tokens. Only Ed25519 is remembered: its
 * verification has no options.
 */
function rememberVerifications(verify: Verify): Verify {
  const known = new Map<string, boolean>();
  const names = new WeakMap<KeyObject, string>();
  const nameOf = (key: KeyObject) => {
    const name = names.get(key) ?? key.export({ type: "spki", format: "der" }).toString("latin1");
    names.set(key, name);
    return name;
  };
  return (algorithm, data, key, signature) => {
    const isRemembered =
      key instanceof KeyObject &&
      key.type === "public" &&
      key.asymmetricKeyType === "ed25519" &&
      Buffer.isBuffer(data) &&
      Buffer.isBuffer(signature) &&
      signature.length === ED25519_BYTES;
    if (!isRemembered) return verify(algorithm, data, key, signature);
    const id = `${algorithm}|${nameOf(key)}${signature.toString("latin1")}${data.toString("latin1")}`;
    const before = known.get(id);
    if (before !== undefined) return before;
    const isValid = verify(algorithm, data, key, signature);
    if (known.size >= MAX_REMEMBERED) known.clear();
    known.set(id, isValid);
    return isValid;
  };
}

/** The random numbers of `node:crypto`, drawn from `random`. */
function virtualRandomNumbers(random: () => number) {
  const fill = <T extends ArrayBufferView>(view: T): T => {
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    for (let index = 0; index < bytes.length; index++) bytes[index] = random() * 256;
    return view;
  };
  /** Offset and size count elements, as in Node. */
  const randomFillSync = <T extends ArrayBuffer | ArrayBufferView>(
    target: T,
    offset = 0,
    size?: number,
  ): T => {
    const view = ArrayBuffer.isView(target) ? target : new Uint8Array(target);
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    const width = view instanceof DataView ? 1 : (view as unknown as Uint8Array).BYTES_PER_ELEMENT;
    fill(bytes.subarray(offset * width, size === undefined ? undefined : (offset + size) * width));
    return target;
  };
  const randomFill = (target: ArrayBufferView, ...more: unknown[]) => {
    const callback = more.pop() as (error: null, target: ArrayBufferView) => void;
    randomFillSync(target, ...(more as number[]));
    queueMicrotask(() => callback(null, target));
  };
  const randomInt = (...given: unknown[]) => {
    const callback =
      typeof given.at(-1) === "function" ? (given.pop() as (error: null, n: number) => void) : null;
    const [from, to] = given.length === 1 ? [0, given[0] as number] : (given as [number, number]);
    const drawn = from + Math.floor(random() * (to - from));
    if (callback === null) return drawn;
    queueMicrotask(() => callback(null, drawn));
    return undefined;
  };
  const randomBytes = (size: number, callback?: (error: null, bytes: Buffer) => void) => {
    const bytes = fill(Buffer.alloc(size));
    if (callback !== undefined) queueMicrotask(() => callback(null, bytes));
    return callback === undefined ? bytes : undefined;
  };
  const randomUUID = () => {
    const bytes = fill(Buffer.alloc(16));
    bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
    bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
    return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  };
  return { fill, randomBytes, randomFill, randomFillSync, randomInt, randomUUID };
}
