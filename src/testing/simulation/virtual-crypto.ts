import nodeCrypto, { type KeyObject } from "node:crypto";
import { promisify } from "node:util";

/** PKCS #8 of an Ed25519 key, up to its 32 secret bytes (RFC 8410). */
const ED25519_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");

type KeyPair = { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
type KeyPairCallback = (error: Error | null, publicKey?: KeyObject, privateKey?: KeyObject) => void;

/**
 * The members of `node:crypto` and of Web Crypto that draw random numbers or use the thread pool, made deterministic. An
 * Ed25519 key comes from `random`. Other keys are made by the platform, at once, and differ from run to run.
 */
export function virtualCrypto(random: () => number): {
  readonly node: Readonly<Record<string, unknown>>;
  readonly web: Readonly<Record<string, unknown>>;
} {
  const { createHash, createPrivateKey, createPublicKey, verify, sign } = nodeCrypto;
  const fill = <T extends ArrayBufferView>(view: T): T => {
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    for (let index = 0; index < bytes.length; index++) bytes[index] = random() * 256;
    return view;
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

  const makePair = (type: string, options: object | undefined): KeyPair => {
    if (type !== "ed25519") {
      const generate = nodeCrypto.generateKeyPairSync as (type: string, options?: object) => KeyPair;
      return generate(type, options);
    }
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
    node: {
      randomBytes,
      randomUUID,
      randomFillSync: fill,
      generateKeyPair,
      verify: atOnce(verify, 4),
      sign: atOnce(sign, 3),
    },
    web: { getRandomValues: fill, randomUUID, digest },
  };
}
