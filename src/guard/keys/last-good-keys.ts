import { isDeepStrictEqual } from "node:util";
import { readClock, type Instant } from "../../core/clock.ts";
import { HoldfastError } from "../../core/errors.ts";
import type { Algorithm } from "../../jwt/algorithms.ts";
import type { VerificationKey } from "../../jwt/jwk-set.ts";
import { emit } from "../emit.ts";
import { KeySet, readKeySet } from "./key-set.ts";
import type { KeyContext } from "./key-source.ts";
import { KeySetAge } from "./key-set-age.ts";
import { VanishedKeys } from "./vanished-keys.ts";

interface LastGoodKeysOptions extends Pick<KeyContext, "guard" | "issuer" | "clock"> {
  readonly algorithms: readonly Algorithm[];
  readonly maxStaleMs: number;
  readonly vanishedMs: number;
}

/** The last good set, for as long as it may be believed, and the keys that left it. */
export class LastGoodKeys {
  readonly age: KeySetAge;
  readonly vanished: VanishedKeys;
  readonly #options: LastGoodKeysOptions;
  #set = new KeySet([]);
  /** What came last, be there a usable key or not. */
  #latest = this.#set;
  #document: unknown;
  #version = 0;

  constructor(options: LastGoodKeysOptions) {
    this.#options = options;
    this.age = new KeySetAge(options.clock, options.maxStaleMs);
    this.vanished = new VanishedKeys(options.clock, options.vanishedMs);
  }

  get set(): KeySet {
    return this.#set;
  }

  /** Whether a key of this `kid` came, and is none that can be used. */
  hasUnusable(kid: string | undefined): boolean {
    return this.#set.hasUnusable(kid) || this.#latest.hasUnusable(kid);
  }

  /** As it came; `undefined` where there is none. */
  get document(): unknown {
    return this.#document;
  }

  get version(): number {
    return this.#version;
  }

  /** In force: of the set, or vanished from it. */
  isInForce(key: VerificationKey, now: Instant = readClock(this.#options.clock)): boolean {
    return this.age.isUsable(now) && (this.#set.has(key) || this.vanished.has(key, now));
  }

  /** Takes the place of the set. Throws for a document without a usable key. */
  replace(document: unknown, fetchedAt: Instant, freshForMs: number): void {
    const { algorithms, vanishedMs } = this.#options;
    const previous = this.#set;
    const reusable = [...previous.keys, ...this.vanished.keys];
    // Reading a large one takes the event loop up to 0.1 s, and most fetches bring the same again.
    const isSame = isDeepStrictEqual(document, this.#document);
    const next = isSame ? previous : readKeySet(document, algorithms, reusable, this.#options);
    this.#latest = next;
    if (next.size === 0) throw new HoldfastError("invalid_key", "the key set has no usable key");
    const removed = previous.keys.filter((key) => !next.has(key));
    this.vanished.update(removed, (key) => next.has(key));
    if (removed.length > 0) {
      const names = [...new Set(removed.map(({ kid }) => kid ?? "(without kid)"))].join(", ");
      const message = `${names} left the set; what was proved passes for ${vanishedMs} ms`;
      emit(this.#options, "key_vanished", message);
    }
    if (!next.equals(previous)) this.#version++;
    this.#set = next;
    this.#document = document;
    this.age.start(fetchedAt, freshForMs);
  }

  clear(): void {
    this.#set = this.#latest = new KeySet([]);
    this.#document = undefined;
    this.#version++;
    this.age.clear();
    this.vanished.clear();
  }
}
