import { isDeepStrictEqual } from "node:util";
import { instant, type Instant } from "../../core/clock.ts";
import { HoldfastError } from "../../core/errors.ts";
import type { Algorithm } from "../../jwt/algorithms.ts";
import type { VerificationKey } from "../../jwt/jwk-set.ts";
import { report } from "../report.ts";
import { KeySet, readKeySet } from "./key-set.ts";
import type { KeyContext } from "./key-source.ts";
import { SetAge } from "./set-age.ts";
import { VanishedKeys } from "./vanished-keys.ts";

interface HeldKeysOptions extends Pick<KeyContext, "guard" | "issuer" | "clock"> {
  readonly algorithms: readonly Algorithm[];
  readonly maxStaleMs: number;
  readonly vanishedMs: number;
}

/** The last good set, for as long as it may be believed, and the keys that left it. */
export class HeldKeys {
  readonly age: SetAge;
  readonly vanished: VanishedKeys;
  readonly #options: HeldKeysOptions;
  #set = new KeySet([]);
  /** What came last, be there a usable key or not. */
  #latest = this.#set;
  #document: unknown;
  #version = 0;

  constructor(options: HeldKeysOptions) {
    this.#options = options;
    this.age = new SetAge(options.clock, options.maxStaleMs);
    this.vanished = new VanishedKeys(options.clock, options.vanishedMs);
  }

  get set(): KeySet {
    return this.#set;
  }

  /** Whether a key of this `kid` came, and is none that can be used. */
  isUnusable(kid: string | undefined): boolean {
    return this.#set.isUnusable(kid) || this.#latest.isUnusable(kid);
  }

  /** As it came; `undefined` where there is none. */
  get document(): unknown {
    return this.#document;
  }

  get version(): number {
    return this.#version;
  }

  /** In force: of the set, or vanished from it. */
  holds(key: VerificationKey, now: Instant = instant(this.#options.clock)): boolean {
    return this.age.isServed(now) && (this.#set.has(key) || this.vanished.has(key, now));
  }

  /** Takes the place of the set. Throws for a document without a usable key. */
  take(document: unknown, fetchedAt: Instant, freshForMs: number): void {
    const { algorithms, vanishedMs } = this.#options;
    const before = this.#set;
    const known = [...before.keys, ...this.vanished.keys];
    // Reading a large one takes the event loop up to 0.1 s, and most fetches bring the same again.
    const isSame = isDeepStrictEqual(document, this.#document);
    const next = isSame ? before : readKeySet(document, algorithms, known, this.#options);
    this.#latest = next;
    if (next.size === 0) throw new HoldfastError("invalid_key", "the key set has no usable key");
    const gone = before.keys.filter((key) => !next.has(key));
    this.vanished.update(gone, (key) => next.has(key));
    if (gone.length > 0) {
      const names = [...new Set(gone.map(({ kid }) => kid ?? "(without kid)"))].join(", ");
      const message = `${names} left the set; what was proved passes for ${vanishedMs} ms`;
      report(this.#options, "key_vanished", message);
    }
    if (!next.equals(before)) this.#version++;
    this.#set = next;
    this.#document = document;
    this.age.begin(fetchedAt, freshForMs);
  }

  drop(): void {
    this.#set = this.#latest = new KeySet([]);
    this.#document = undefined;
    this.#version++;
    this.age.end();
    this.vanished.clear();
  }
}
