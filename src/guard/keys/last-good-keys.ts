import { isDeepStrictEqual } from "node:util";
import { readClock, type Instant } from "../../core/clock.ts";
import { HoldfastError } from "../../core/errors.ts";
import type { Algorithm } from "../../jwt/algorithms.ts";
import type { VerificationKey } from "../../jwt/jwk-set.ts";
import { emit } from "../emit.ts";
import { KeySetAge } from "./key-set-age.ts";
import { KeySet, kidsOf, readPublishedKeys, toKeySet } from "./key-set.ts";
import type { KeyContext } from "./key-source.ts";
import { VanishedKeys } from "./vanished-keys.ts";

interface LastGoodKeysOptions extends Pick<KeyContext, "guard" | "issuer" | "clock"> {
  readonly algorithms: readonly Algorithm[];
  readonly maxStaleMs: number;
  readonly vanishedMs: number;
}

/** The most `kid`s that one event names. */
const MAX_SHOWN_KIDS = 20;

/** The last good key set, its age, and the keys that left it. */
export class LastGoodKeys {
  readonly age: KeySetAge;
  readonly vanished: VanishedKeys;
  readonly #options: LastGoodKeysOptions;
  #set = new KeySet([]);
  /** The set of the last document, which may have no usable key. */
  #latest = this.#set;
  #document: unknown;
  #version = 0;
  /** The keys of a saved set that were looked up since. `null` when the set was fetched by this guard. */
  #usedSavedKeys: Set<VerificationKey> | null = null;
  /** The `kid`s of the keys that were in use when the issuer was declared compromised. */
  #clearedKids: ReadonlySet<string> = new Set();

  constructor(options: LastGoodKeysOptions) {
    this.#options = options;
    this.age = new KeySetAge(options.clock, options.maxStaleMs);
    this.vanished = new VanishedKeys(options.clock, options.vanishedMs);
  }

  get set(): KeySet {
    return this.#set;
  }

  /** Whether a key of this `kid` was published but cannot be used. */
  hasUnusable(kid: string | undefined): boolean {
    return this.#set.hasUnusable(kid) || this.#latest.hasUnusable(kid);
  }

  /** Whether no key of this `kid` counts: it was published but cannot be used, or it was cleared and not named since. */
  isRuledOut(kid: string): boolean {
    return this.hasUnusable(kid) || (this.#clearedKids.has(kid) && !this.#set.hasKid(kid));
  }

  /** The JWK Set as it was fetched. `undefined` without a set. */
  get document(): unknown {
    return this.#document;
  }

  get version(): number {
    return this.#version;
  }

  isInForce(key: VerificationKey, now: Instant = readClock(this.#options.clock)): boolean {
    return this.age.isUsable(now) && (this.#set.has(key) || this.vanished.has(key, now));
  }

  /** Finds the keys of the set for a token. */
  find(kid: string | undefined, algorithm: Algorithm): readonly VerificationKey[] {
    const keys = this.#set.find(kid, algorithm);
    if (this.#usedSavedKeys !== null) for (const key of keys) this.#usedSavedKeys.add(key);
    return keys;
  }

  /** Replaces the set by one that an earlier run has saved. Otherwise like {@link replace}. */
  async restore(...[document, ...rest]: Parameters<LastGoodKeys["replace"]>): Promise<void> {
    await this.replace(document, ...rest);
    this.#usedSavedKeys = new Set();
  }

  /**
   * Replaces the set by a fetched document, which is read in turns of the event loop when it is large. Rejects when the
   * document has no usable key, and when `signal` aborts before the document is read.
   */
  async replace(
    document: unknown,
    fetchedAt: Instant,
    freshForMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    // Most fetches return the same document.
    const isSame = isDeepStrictEqual(document, this.#document);
    const { algorithms } = this.#options;
    const published = isSame ? null : await readPublishedKeys(document, algorithms, this.#options);
    signal.throwIfAborted();
    const previous = this.#set;
    const known = [...previous.keys, ...this.vanished.keys];
    const next = published === null ? previous : toKeySet(published, known);
    this.#latest = next;
    if (next.size === 0) throw new HoldfastError("invalid_key", "the key set has no usable key");
    const removed = previous.keys.filter((key) => !next.has(key) && this.#mayHaveVerified(key));
    this.vanished.update(removed, (key) => next.has(key));
    if (removed.length > 0) this.#emitVanished(removed);
    if (!next.equals(previous)) this.#version++;
    this.#set = next;
    this.#usedSavedKeys = null;
    this.#document = document;
    this.age.start(fetchedAt, freshForMs);
  }

  clear(): void {
    const cleared = kidsOf([...this.#set.keys, ...this.vanished.keys]);
    // A second declaration may come before another set. The first one still counts.
    this.#clearedKids = cleared.length === 0 ? this.#clearedKids : new Set(cleared);
    this.#set = this.#latest = new KeySet([]);
    this.#document = undefined;
    this.#version++;
    this.age.clear();
    this.vanished.clear();
  }

  /**
   * A key of a saved set may have left the issuer's set long ago. Without a token that asked for it, this guard has
   * verified nothing by it, so it serves none and no alarm is due.
   */
  #mayHaveVerified(key: VerificationKey): boolean {
    return this.#usedSavedKeys?.has(key) ?? true;
  }

  #emitVanished(removed: readonly VerificationKey[]): void {
    const names = [...new Set(removed.map(({ kid }) => kid ?? "(without kid)"))];
    const shown = names.slice(0, MAX_SHOWN_KIDS).join(", ");
    const rest = names.length - MAX_SHOWN_KIDS;
    const { vanishedMs } = this.#options;
    const message = `${shown}${rest > 0 ? ` and ${rest} more` : ""} left the key set; tokens verified before stay valid for ${vanishedMs} ms`;
    emit(this.#options, "key_vanished", message);
  }
}
