import { hash } from "node:crypto";
import { systemEntropy } from "../../core/entropy.ts";
import { assembleSipHash, KEY_AT, MESSAGE_AT, OUTPUT_AT } from "../../core/siphash-module.ts";

/** Shorter tokens could be guessed by a reader of the heap, which also holds the key. They keep a one-way digest. */
const MIN_KEYED_CHARS = 24;
const PAGES = 1;
/** The last word of a message is read as eight bytes. */
const MAX_KEYED_CHARS = PAGES * 65_536 - MESSAGE_AT - 8;
const NAME_BYTES = 16;

/** The global object of WebAssembly, as far as it is used. `undefined` where the runtime has none. */
const { WebAssembly } = globalThis as {
  readonly WebAssembly?: {
    readonly Module: new (code: Uint8Array) => object;
    readonly Instance: new (module: object) => { readonly exports: Readonly<Record<string, unknown>> };
  };
};

interface SipHash {
  /** Hashes the first `length` bytes of `message`, and writes the result to `output`. */
  readonly hash: (length: number) => void;
  readonly message: Buffer;
  readonly output: Buffer;
}

/**
 * Step 2: names tokens inside this process. The name covers the whole token, because a part could be combined with
 * another rest. It is the token's SipHash-2-4 of 128 bits under a random key that this process makes, in a third of the
 * time of SHA-256. Without the key, a chosen token meets one of n names with a probability of n · 2⁻¹²⁸.
 *
 * A name stays in the process (law 5), because a reader of the key can search for its token. SHA-256 names tokens for
 * other processes.
 */
export class TokenNames {
  readonly #assemble: typeof assembleSipHash;
  /** `undefined` before the first token. `null` where the runtime compiles no WebAssembly. */
  #sipHash: SipHash | null | undefined;

  /** Tests replace `assemble`, which some runtimes cannot use. */
  constructor(assemble: typeof assembleSipHash = assembleSipHash) {
    this.#assemble = assemble;
  }

  nameOf(token: string): string {
    const { length } = token;
    if (length < MIN_KEYED_CHARS || length > MAX_KEYED_CHARS) return digestToken(token);
    const sipHash = this.#sipHash === undefined ? this.#start() : this.#sipHash;
    // Only ASCII has as many bytes in UTF-8 as characters. Verification refuses every other token.
    if (sipHash === null || sipHash.message.write(token) !== length) return digestToken(token);
    sipHash.hash(length);
    return sipHash.output.toString("latin1", 0, NAME_BYTES);
  }

  /** Made for the first token, because some runtimes have no randomness before their first request. */
  #start(): SipHash | null {
    this.#sipHash = startSipHash(this.#assemble);
    return this.#sipHash;
  }
}

function startSipHash(assemble: typeof assembleSipHash): SipHash | null {
  if (WebAssembly === undefined) return null;
  try {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(assemble(PAGES)));
    const memory = Buffer.from((exports["memory"] as { readonly buffer: ArrayBuffer }).buffer);
    systemEntropy.bytes(16).copy(memory, KEY_AT);
    return {
      hash: exports["hash"] as SipHash["hash"],
      message: memory.subarray(MESSAGE_AT),
      output: memory.subarray(OUTPUT_AT, OUTPUT_AT + NAME_BYTES),
    };
  } catch {
    // Cloudflare Workers compile no WebAssembly at run time.
    return null;
  }
}

/**
 * The digest of the whole token, for what leaves the process. Unpaired surrogates have one digest, which no ASCII text
 * has, and verification rejects every token that contains them.
 */
export function digestToken(token: string): string {
  return hash("sha256", token, "binary");
}

/** The names of this process. One memory of WebAssembly serves all guards, because each reserves address space. */
export const tokenNames: TokenNames = new TokenNames();
