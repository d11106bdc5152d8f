import { readClock, sleep, type Instant } from "../../core/clock.ts";
import type { SpanReference } from "../../core/tracing.ts";
import { invalidVerdict, unavailableVerdict } from "../../core/verdict.ts";
import { asymmetricAlgorithms, type Algorithm } from "../../jwt/algorithms.ts";
import type { VerificationKey } from "../../jwt/jwk-set.ts";
import { describeError, emit } from "../emit.ts";
import { FetchSchedule, FIRST_RETRY_MS, pauseAfterAttempt } from "./fetch-schedule.ts";
import { askedPauseMs, fetchKeySet, type KeyLocation } from "./fetch-key-set.ts";
import type { JwksSettings } from "./jwks-options.ts";
import { LastGoodKeys } from "./last-good-keys.ts";
import { kidsOf } from "./key-set.ts";
import { KeySnapshot } from "./key-snapshot.ts";
import type { KeyContext, KeyLookup, Keyring, KeysStatus, KeyQuery } from "./key-source.ts";
import { UnknownKids, type FirstSeen } from "./unknown-kids.ts";

/** After this many background attempts without a use in between, the next caller fetches. */
const MAX_UNUSED_ATTEMPTS = 10;

/**
 * Keys from a URL. The last good set stays in use during a fetch and after a failed fetch, up to `maxStaleMs`. A set
 * without a usable key never replaces it.
 */
export class JwksKeyring implements Keyring {
  readonly algorithms: readonly Algorithm[];
  readonly #location: KeyLocation;
  readonly #settings: JwksSettings;
  readonly #context: KeyContext;
  readonly #lastGood: LastGoodKeys;
  readonly #schedule: FetchSchedule;
  readonly #unknownKids = new UnknownKids();
  readonly #snapshot: KeySnapshot;
  readonly #restoring = new AbortController();
  readonly #restored: Promise<void>;
  /** The number of the attempt that fetched the set. 0 for a saved set of an earlier run. */
  #fetchNumber = 0;
  /** When the set was requested, less the time that it may have spent in caches. Milliseconds of the monotonic clock. */
  #asOf = -Infinity;
  #lastError: string | null = null;
  /** The time for which the server of the last failed attempt asked for no requests (`Retry-After`), else 0. */
  #askedPauseMs = 0;
  #epoch = 0;
  #isDistrusted = false;
  /** Whether the next fetch asks the caches on the way for the copy of the origin server. */
  #bypassCaches = false;
  /** Whether the keyring was asked anything since the last background attempt. */
  #isUsed = false;
  /** The number of background attempts in a row before which the keyring was not used. */
  #unusedAttempts = 0;
  /** The span of the last fetch. */
  #fetchSpan: SpanReference | undefined;
  /** Whether a token with an unknown key has asked for a set since the last set arrived. */
  #isTokenWaiting = false;

  constructor(location: KeyLocation, settings: JwksSettings, context: KeyContext) {
    this.algorithms = context.algorithms ?? asymmetricAlgorithms;
    this.#location = location;
    this.#settings = settings;
    this.#context = context;
    this.#lastGood = new LastGoodKeys({ ...settings, ...context, algorithms: this.algorithms });
    this.#schedule = new FetchSchedule(context.clock, {
      run: async (signal, number, isAwaited) => await this.#fetch(signal, number, isAwaited),
      onFailure: (error) => this.#onFailure(error),
      pauseMs: (failures) => this.#pauseMs(failures),
      freshForMs: () => this.#lastGood.age.freshForMs(),
      isNeeded: () => this.#isNeeded(),
    });
    this.#snapshot = new KeySnapshot(context);
    this.#restored = this.#restore(this.#restoring.signal);
  }

  /** Fetches a set now and keeps it fresh in the background, until `close`. */
  startRefreshing(): this {
    this.#schedule.enableBackground();
    void this.#fetchFirst();
    return this;
  }

  async #fetchFirst(): Promise<void> {
    await this.#restored;
    if (!this.#lastGood.age.isUsable()) await this.#schedule.attempt();
  }

  get version(): number {
    return this.#lastGood.version;
  }

  get epoch(): number {
    return this.#epoch;
  }

  mayBeNamed(iss: string, host: string): boolean {
    return this.#location.mayBeNamed?.(iss, host) === true;
  }

  /** The last good set as it was fetched. `null` without a usable set. */
  async document(): Promise<unknown> {
    await this.#restored;
    const { age } = this.#lastGood;
    if (!age.isUsable()) await this.#schedule.attempt();
    else if (!age.isFresh()) void this.#schedule.attempt();
    return age.isUsable() ? this.#lastGood.document : null;
  }

  find(kid: string | undefined, algorithm: Algorithm): readonly VerificationKey[] {
    this.#isUsed = true;
    const { age } = this.#lastGood;
    // Without a set, `resolve` must record when the `kid` was first seen before it fetches.
    if (!age.isUsable()) return [];
    if (!age.isFresh()) void this.#schedule.attempt();
    return this.#lastGood.find(kid, algorithm);
  }

  mayHaveOthers(kid: string | undefined, algorithm: Algorithm): boolean {
    return kid === undefined || this.find(kid, algorithm).length === 0;
  }

  mayHaveUnfetched(kid: string | undefined): boolean {
    if (kid === undefined || this.#isDistrusted || this.#lastGood.isRuledOut(kid)) return false;
    if (this.#schedule.isFailing) return true;
    const { age, set } = this.#lastGood;
    const firstSeen = this.#unknownKids.find(kid);
    return age.isUsable() && !set.hasKid(kid) && firstSeen !== undefined && !this.#isProvenAbsent(firstSeen);
  }

  refreshAfterBadSignature(): void {
    this.#bypassCaches = true;
    void this.#schedule.attempt();
  }

  isInForce(key: VerificationKey, now?: Instant): boolean {
    this.#isUsed = true;
    return this.#lastGood.isInForce(key, now);
  }

  hasVanished(key: VerificationKey, now?: Instant): boolean {
    return this.#lastGood.isInForce(key, now) && !this.#lastGood.set.has(key);
  }

  async resolve(token: KeyQuery, tried: readonly VerificationKey[]): Promise<KeyLookup> {
    await this.#restored;
    const now = { attempts: this.#schedule.startedCount, at: this.#context.clock.monotonic() };
    const firstSeen = this.#unknownKids.firstSeen(token, now);
    const immediate = this.#lookUp(token, tried, firstSeen);
    if (immediate.status !== "unavailable") return immediate;
    this.#bypassCaches = true;
    if (!this.#isTokenWaiting) {
      this.#isTokenWaiting = true;
      if (this.#schedule.isFailing && this.#askedPauseMs === 0) this.#schedule.shortenPause(FIRST_RETRY_MS);
    }
    const isJoining = this.#schedule.isRunning;
    await this.#schedule.attempt(true);
    if (isJoining && this.#fetchSpan !== undefined) this.#context.tracing?.link(this.#fetchSpan);
    return this.#lookUp(token, tried, firstSeen);
  }

  distrust(): void {
    this.#restoring.abort();
    this.#lastGood.clear();
    this.#location.forget();
    this.#epoch++;
    this.#isDistrusted = true;
    this.#lastError = "the keys were declared compromised, and no key set has been fetched since";
    emit(
      this.#context,
      "keys_distrusted",
      "earlier verifications no longer count; a new key set is being fetched",
    );
    void this.#snapshot.save({ url: "", fetchedAt: 0, jwks: null });
    this.#schedule.restart();
  }

  status(): KeysStatus {
    this.#isUsed = true;
    const { age, set, vanished } = this.#lastGood;
    return {
      kind: this.#location.kind,
      ...age.status(),
      kids: set.kids,
      vanished: kidsOf(vanished.keys),
      coolingDownMs: this.#schedule.cooldownLeftMs(),
      lastError: this.#lastError,
    };
  }

  async ready(signal: AbortSignal): Promise<void> {
    await this.#restored;
    const { age } = this.#lastGood;
    while (!age.isUsable()) {
      signal.throwIfAborted();
      await this.#schedule.attempt();
      if (!age.isUsable()) await sleep(this.#context.clock, this.#schedule.cooldownLeftMs(), signal);
    }
  }

  async close(): Promise<void> {
    this.#restoring.abort();
    this.#schedule.close();
    await this.#snapshot.flush();
  }

  /**
   * Looks up a key without fetching. A missing `kid` counts as unknown only if the set was requested after the `kid` was
   * first seen, and not long ago. The issuer may have published a key since, under a `kid` that a client guessed before.
   * A response from a cache may lack a key that the origin server has.
   */
  #lookUp(token: KeyQuery, tried: readonly VerificationKey[], firstSeen: FirstSeen): KeyLookup {
    const { kid, algorithm } = token;
    const { age, set } = this.#lastGood;
    const retryAfterMs = Math.max(FIRST_RETRY_MS, this.#schedule.cooldownLeftMs());
    if (!age.isUsable()) return unavailableVerdict("keys_unavailable", retryAfterMs);
    const triedKeys = new Set(tried);
    const keys = this.#lastGood.find(kid, algorithm).filter((key) => !triedKeys.has(key));
    if (keys.length > 0) return { status: "found", keys };
    if (set.hasUnusable(kid)) return unavailableVerdict("key_pending", retryAfterMs);
    if (kid !== undefined && set.hasKid(kid)) return invalidVerdict("wrong_algorithm");
    if (!this.#isProvenAbsent(firstSeen)) return unavailableVerdict("key_pending", retryAfterMs);
    return invalidVerdict(tried.length > 0 ? "bad_signature" : "unknown_key");
  }

  /** Whether a recent set that was requested after `firstSeen` shows that a `kid` missing from it does not exist. */
  #isProvenAbsent(firstSeen: FirstSeen): boolean {
    const isNewer = this.#fetchNumber > firstSeen.attempts && this.#asOf >= firstSeen.at;
    return isNewer && this.#lastGood.age.currentMs() < this.#settings.coolDownMs;
  }

  async #fetch(signal: AbortSignal, number: number, isAwaited: boolean): Promise<void> {
    const began = this.#context.clock.monotonic();
    // One lost connection must not delay the tokens of a new key. In a longer outage the pauses limit the attempts.
    const repeats = this.#lastGood.age.isUsable() && !this.#schedule.isFailing;
    const onSpan = (span: SpanReference | undefined) => (this.#fetchSpan = span);
    const call = { signal, bypassCaches: this.#bypassCaches, repeats, isAwaited, onSpan };
    this.#bypassCaches = false;
    try {
      const fetched = await fetchKeySet(this.#location, this.#settings, this.#context, call);
      const now = readClock(this.#context.clock);
      await this.#lastGood.replace(fetched.jwks, now, fetched.freshForMs, signal);
      signal.throwIfAborted();
      this.#fetchNumber = number;
      this.#asOf = began - fetched.cachedForMs;
      this.#unknownKids.forget(this.#lastGood.set.kids);
      this.#lastError = null;
      this.#isDistrusted = false;
      this.#isTokenWaiting = false;
      emit(this.#context, "keys_refreshed", `${this.#lastGood.set.size} usable keys`);
      void this.#snapshot.save({ url: fetched.url, fetchedAt: now.wall, jwks: fetched.jwks });
    } catch (error) {
      this.#location.requireRevalidation();
      throw error;
    }
  }

  /** An application may have dropped its guard without closing it. Such a guard must not fetch for ever. */
  #isNeeded(): boolean {
    // Recovery from an outage must not wait for a caller.
    if (this.#schedule.isFailing) return true;
    this.#unusedAttempts = this.#isUsed ? 0 : this.#unusedAttempts + 1;
    this.#isUsed = false;
    return this.#unusedAttempts < MAX_UNUSED_ATTEMPTS;
  }

  #onFailure(error: unknown): void {
    this.#lastError = describeError(error);
    this.#askedPauseMs = askedPauseMs(error, this.#lastGood.age.isUsable());
    emit(this.#context, "keys_failed", this.#lastError, this.#location.firstUrl());
    const warning = this.#lastGood.age.nextWarning();
    if (warning !== null) emit(this.#context, "keys_stale", warning);
  }

  #pauseMs(failures: number): number {
    return pauseAfterAttempt(failures, {
      coolDownMs: this.#settings.coolDownMs,
      isUrgent: !this.#lastGood.age.isUsable() || this.#isTokenWaiting,
      askedPauseMs: this.#askedPauseMs,
      random: this.#context.random,
    });
  }

  /**
   * Loads the last good set of an earlier run, before the first fetch. The set counts as due, after a random delay that
   * spreads the fetches of many instances. Never rejects.
   */
  async #restore(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#context;
    const saved = await this.#snapshot.load(signal);
    if (saved?.jwks === null) this.#isDistrusted = true;
    if (saved === null || signal.aborted || !this.#location.restore(saved.url)) return;
    const { wall, monotonic } = readClock(clock);
    const ageMs = Math.max(0, wall - saved.fetchedAt);
    const fetchedAt = { wall: wall - ageMs, monotonic: monotonic - ageMs };
    const freshForMs = ageMs + random() * this.#settings.coolDownMs;
    try {
      await this.#lastGood.restore(saved.jwks, fetchedAt, freshForMs, signal);
      this.#schedule.scheduleNext();
    } catch (error) {
      if (!signal.aborted)
        emit(this.#context, "snapshot_failed", `the saved key set: ${describeError(error)}`);
    }
  }
}
