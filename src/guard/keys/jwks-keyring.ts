import { instant, sleep, type Instant } from "../../core/clock.ts";
import { invalid, unavailable } from "../../core/verdict.ts";
import { asymmetricAlgorithms, type Algorithm } from "../../jwt/algorithms.ts";
import type { VerificationKey } from "../../jwt/jwk-set.ts";
import { backoffMs } from "../../resilience/backoff.ts";
import { describe, report } from "../report.ts";
import { Attempts } from "./attempts.ts";
import { fetchKeySet, type JwksSettings } from "./fetch-key-set.ts";
import { HeldKeys } from "./held-keys.ts";
import type { KeyLocation } from "./key-location.ts";
import { kidsOf } from "./key-set.ts";
import { KeySnapshot } from "./key-snapshot.ts";
import type { KeyContext, KeyLookup, Keyring, KeysStatus, Sought } from "./key-source.ts";
import { UnknownKids, type Moment } from "./unknown-kids.ts";

/** Without any key, the first attempt after a failure comes this soon. */
const FIRST_RETRY_MS = 1_000;

/**
 * Keys from a URL. The last good set serves on while a new one is fetched and when that fails, up to a bound; an
 * unusable answer never takes its place.
 */
export class JwksKeyring implements Keyring {
  readonly algorithms: readonly Algorithm[];
  readonly grows = true;
  readonly #location: KeyLocation;
  readonly #settings: JwksSettings;
  readonly #context: KeyContext;
  readonly #held: HeldKeys;
  readonly #attempts: Attempts;
  readonly #unknown = new UnknownKids();
  readonly #snapshot: KeySnapshot;
  readonly #restoring = new AbortController();
  readonly #restored: Promise<void>;
  /** The number of the attempt that fetched the set; 0 for one of an earlier run. */
  #fetchedBy = 0;
  /** When that was asked for, less the time that the answer may have lain in caches; monotonic. */
  #asOf = -Infinity;
  #lastError: string | null = null;
  #era = 0;
  #isDistrusted = false;

  constructor(location: KeyLocation, settings: JwksSettings, context: KeyContext) {
    this.algorithms = context.algorithms ?? asymmetricAlgorithms;
    this.#location = location;
    this.#settings = settings;
    this.#context = context;
    this.#held = new HeldKeys({ ...settings, ...context, algorithms: this.algorithms });
    this.#attempts = new Attempts(context.clock, {
      attempt: async (signal, number) => await this.#attempt(signal, number),
      failed: (error) => this.#failed(error),
      pauseMs: (failures) => this.#pauseMs(failures),
      restMs: () => this.#held.age.freshLeftMs(),
    });
    this.#snapshot = new KeySnapshot(context);
    this.#restored = this.#restore(this.#restoring.signal);
  }

  /** A set is fetched now and kept fresh, also while no token comes; so `close` it. */
  keptFresh(): this {
    this.#attempts.goOnUnasked();
    void this.#begin();
    return this;
  }

  async #begin(): Promise<void> {
    await this.#restored;
    if (!this.#held.age.isServed()) await this.#attempts.make();
  }

  get version(): number {
    return this.#held.version;
  }

  get era(): number {
    return this.#era;
  }

  /** The last good set as it came; `null` where there is none to be believed. */
  async document(): Promise<unknown> {
    await this.#restored;
    const { age } = this.#held;
    if (!age.isServed()) await this.#attempts.make();
    else if (!age.isFresh()) void this.#attempts.make();
    return age.isServed() ? this.#held.document : null;
  }

  find(kid: string | undefined, algorithm: Algorithm): readonly VerificationKey[] {
    const { age, set } = this.#held;
    // Without a set it is left to `resolve`, which notes the `kid` before it asks.
    if (!age.isServed()) return [];
    if (!age.isFresh()) void this.#attempts.make();
    return set.find(kid, algorithm);
  }

  mayLack(kid: string | undefined): boolean {
    const isOut = this.#attempts.isFailing && !this.#isDistrusted;
    return isOut && kid !== undefined && !this.#held.isUnusable(kid);
  }

  holds(key: VerificationKey, now?: Instant): boolean {
    return this.#held.holds(key, now);
  }

  vanished(key: VerificationKey, now?: Instant): boolean {
    return this.#held.holds(key, now) && !this.#held.set.has(key);
  }

  async resolve(token: Sought, tried: readonly VerificationKey[]): Promise<KeyLookup> {
    await this.#restored;
    const now = { attempts: this.#attempts.begun, at: this.#context.clock.monotonic() };
    const firstSeen = this.#unknown.firstSeen(token, now);
    const known = this.#answer(token, tried, firstSeen);
    if (known.status !== "unavailable") return known;
    await this.#attempts.make();
    return this.#answer(token, tried, firstSeen);
  }

  distrust(): void {
    this.#restoring.abort();
    this.#held.drop();
    this.#location.forget();
    this.#era++;
    this.#isDistrusted = true;
    this.#lastError = "the keys were declared compromised, and no set was fetched since";
    report(this.#context, "keys_distrusted", "nothing that the keys proved counts; a set is fetched");
    void this.#snapshot.save({ url: "", fetchedAt: 0, jwks: null });
    this.#attempts.restart();
  }

  status(): KeysStatus {
    const { age, set, vanished } = this.#held;
    const ageMs = age.ms();
    return {
      kind: this.#location.kind,
      usable: age.isServed(),
      kids: set.kids,
      ageMs: ageMs === Infinity ? null : ageMs,
      fresh: age.isFresh(),
      vanished: kidsOf(vanished.keys),
      coolingDownMs: this.#attempts.coolingDownMs(),
      lastError: this.#lastError,
    };
  }

  async ready(signal: AbortSignal): Promise<void> {
    await this.#restored;
    const { age } = this.#held;
    while (!age.isServed()) {
      signal.throwIfAborted();
      await this.#attempts.make();
      if (!age.isServed()) await sleep(this.#context.clock, this.#attempts.coolingDownMs(), signal);
    }
  }

  async close(): Promise<void> {
    this.#restoring.abort();
    this.#attempts.close();
    await this.#snapshot.written();
  }

  /**
   * From what is here. A missing `kid` is unknown only by a set that was asked for after the `kid` was first seen, and
   * not long ago: a key published later may bear the name that somebody guessed. What lay in a cache on the way may
   * lack a key that its origin has.
   */
  #answer(token: Sought, tried: readonly VerificationKey[], firstSeen: Moment): KeyLookup {
    const { kid, algorithm } = token;
    const { age, set } = this.#held;
    const retryAfterMs = Math.max(FIRST_RETRY_MS, this.#attempts.coolingDownMs());
    if (!age.isServed()) return unavailable("keys_unavailable", retryAfterMs);
    const keys = set.find(kid, algorithm).filter((key) => !tried.includes(key));
    if (keys.length > 0) return { status: "found", keys };
    if (set.isUnusable(kid)) return unavailable("key_pending", retryAfterMs);
    if (kid !== undefined && set.hasKid(kid)) return invalid("wrong_algorithm");
    const isSince = this.#fetchedBy > firstSeen.attempts && this.#asOf >= firstSeen.at;
    const asked = isSince && age.ms() < this.#settings.coolDownMs;
    if (!asked) return unavailable("key_pending", retryAfterMs);
    return invalid(tried.length > 0 ? "bad_signature" : "unknown_key");
  }

  async #attempt(signal: AbortSignal, number: number): Promise<void> {
    const began = this.#context.clock.monotonic();
    try {
      const fetched = await fetchKeySet(this.#location, this.#settings, this.#context, signal);
      const { url, jwks, freshForMs, oldestMs } = fetched;
      signal.throwIfAborted();
      const now = instant(this.#context.clock);
      this.#held.take(jwks, now, freshForMs);
      this.#fetchedBy = number;
      this.#asOf = began - oldestMs;
      this.#unknown.forget(this.#held.set.kids);
      this.#lastError = null;
      this.#isDistrusted = false;
      report(this.#context, "keys_refreshed", `${this.#held.set.size} usable keys`);
      void this.#snapshot.save({ url, fetchedAt: now.wall, jwks });
    } catch (error) {
      this.#location.doubt();
      throw error;
    }
  }

  #failed(error: unknown): void {
    this.#lastError = describe(error);
    report(this.#context, "keys_failed", this.#lastError);
    const alarm = this.#held.age.alarm();
    if (alarm !== null) report(this.#context, "keys_stale", alarm);
  }

  /** With keys, failing attempts are at least the cool-down apart; without, recovery is more urgent. */
  #pauseMs(failures: number): number {
    const { coolDownMs } = this.#settings;
    const { random } = this.#context;
    if (failures === 0) return coolDownMs;
    if (!this.#held.age.isServed()) {
      return backoffMs(failures, { firstMs: FIRST_RETRY_MS, maxMs: coolDownMs, random });
    }
    const pauseMs = backoffMs(failures, { firstMs: coolDownMs, maxMs: 4 * coolDownMs, random });
    return Math.max(coolDownMs, pauseMs);
  }

  /**
   * The last good set of an earlier run; no fetch comes before it is here or given up. It is asked for anew, by each
   * instance in a moment of its own. Never rejects.
   */
  async #restore(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#context;
    const saved = await this.#snapshot.load(signal);
    if (saved?.jwks === null) this.#isDistrusted = true;
    if (saved === null || signal.aborted || !this.#location.recall(saved.url)) return;
    const { wall, monotonic } = instant(clock);
    const ageMs = Math.max(0, wall - saved.fetchedAt);
    const fetchedAt = { wall: wall - ageMs, monotonic: monotonic - ageMs };
    try {
      this.#held.take(saved.jwks, fetchedAt, ageMs + random() * this.#settings.coolDownMs);
      this.#attempts.plan();
    } catch (error) {
      report(this.#context, "snapshot_failed", `the saved key set: ${describe(error)}`);
    }
  }
}
