import { hash } from "node:crypto";
import { elapsedMs, instant, sleep, type Instant } from "../../core/clock.ts";
import { HoldfastError } from "../../core/errors.ts";
import { asymmetricAlgorithms, type Algorithm } from "../../jwt/algorithms.ts";
import { importJwkSet, type VerificationKey } from "../../jwt/jwk-set.ts";
import type { TokenHeader } from "../../jwt/parse.ts";
import { backoffMs, jittered } from "../../resilience/backoff.ts";
import { withDeadline } from "../../resilience/deadline.ts";
import { SingleFlight } from "../../resilience/single-flight.ts";
import { invalid, unavailable } from "../finding.ts";
import { describe, report } from "../report.ts";
import { fetchJson, unusable, type Fetch } from "../fetch-json.ts";
import { KeySet } from "./key-set.ts";
import type { KeyContext, KeyLookup, Keyring, KeysStatus } from "./key-source.ts";
import { UnknownKids } from "./unknown-kids.ts";

export interface JwksSettings {
  readonly url: string;
  readonly fetch: Fetch;
  readonly headers: Readonly<Record<string, string>>;
  readonly freshMs: number;
  readonly coolDownMs: number;
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

/** Without any key, the first attempt after a failure comes this soon. */
const FIRST_RETRY_MS = 1_000;
/** A disk that hangs must not hold up what the network could answer. */
const RESTORE_TIMEOUT_MS = 1_000;

/**
 * Keys from a URL. The last good set serves on while a new one is fetched and when that fails; an unusable answer
 * never takes its place. However many ask, for whatever keys, there is one attempt at a time and a pause after each.
 */
export class JwksKeyring implements Keyring {
  readonly algorithms: readonly Algorithm[];
  readonly grows = true;
  readonly #settings: JwksSettings;
  readonly #context: KeyContext;
  readonly #flight = new SingleFlight<"fetch", void>();
  readonly #unknown = new UnknownKids();
  readonly #restored: Promise<void>;
  #set = new KeySet([]);
  #document: unknown = null;
  #version = 0;
  /** When the set was fetched, by which attempt, and after how long it is asked for again. */
  #fetchedAt: Instant | null = null;
  #fetchedBy = 0;
  #freshForMs = 0;
  /** Begun so far. */
  #attempts = 0;
  #pause: { readonly since: Instant; readonly ms: number } | null = null;
  #failures = 0;
  #lastError: string | null = null;
  readonly #closing = new AbortController();

  constructor(settings: JwksSettings, context: KeyContext) {
    this.#settings = settings;
    this.#context = context;
    this.algorithms = context.algorithms ?? asymmetricAlgorithms;
    this.#restored = this.#restore();
  }

  get version(): number {
    return this.#version;
  }

  /** The last good set as it came; `null` where there never was one. */
  async document(): Promise<unknown> {
    await this.#restored;
    if (this.#document === null) await this.#refresh();
    else if (!this.#isFresh()) void this.#refresh();
    return this.#document;
  }

  find(kid: string | undefined, algorithm: Algorithm): readonly VerificationKey[] {
    // Without any key it is left to `resolve`, which notes the `kid` before it asks.
    if (this.#set.size > 0 && !this.#isFresh()) void this.#refresh();
    return this.#set.find(kid, algorithm);
  }

  holds(key: VerificationKey): boolean {
    return this.#set.has(key);
  }

  vanished(): boolean {
    return false;
  }

  distrust(): void {}

  async resolve(header: TokenHeader, tried: readonly VerificationKey[]): Promise<KeyLookup> {
    await this.#restored;
    const firstSeen = this.#unknown.firstSeen(header.kid, this.#attempts);
    const known = this.#answer(header, tried, firstSeen);
    if (known.status !== "unavailable") return known;
    await this.#refresh();
    return this.#answer(header, tried, firstSeen);
  }

  status(): KeysStatus {
    return {
      kind: "jwks",
      usable: this.#set.size > 0,
      kids: this.#set.kids,
      ageMs: this.#fetchedAt === null ? null : Math.max(0, elapsedMs(this.#context.clock, this.#fetchedAt)),
      fresh: this.#isFresh(),
      vanished: [],
      coolingDownMs: this.#coolingDownMs(),
      lastError: this.#lastError,
    };
  }

  async ready(signal: AbortSignal): Promise<void> {
    await this.#restored;
    while (this.#set.size === 0) {
      signal.throwIfAborted();
      await this.#refresh();
      if (this.#set.size === 0) await sleep(this.#context.clock, this.#coolingDownMs(), signal);
    }
  }

  /** An attempt under way is given up, and whoever waits for it goes on. */
  close(): void {
    this.#closing.abort();
  }

  /**
   * From what is here. A missing `kid` is unknown only by a set that was asked for after the `kid` was first seen, and
   * not long ago: a key published later may bear the name that somebody guessed.
   */
  #answer({ kid, algorithm }: TokenHeader, tried: readonly VerificationKey[], firstSeen: number): KeyLookup {
    const keys = this.#set.find(kid, algorithm).filter((key) => !tried.includes(key));
    if (keys.length > 0) return { status: "found", keys };
    if (kid !== undefined && this.#set.hasKid(kid)) return invalid("wrong_algorithm");
    const recent = this.#ageMs() < this.#settings.coolDownMs;
    if (recent && this.#fetchedBy > firstSeen) {
      return invalid(tried.length > 0 ? "bad_signature" : "unknown_key");
    }
    const cause = this.#set.size > 0 ? "key_pending" : "keys_unavailable";
    return unavailable(cause, Math.max(FIRST_RETRY_MS, this.#coolingDownMs()));
  }

  #ageMs(): number {
    return this.#fetchedAt === null ? Infinity : elapsedMs(this.#context.clock, this.#fetchedAt);
  }

  #isFresh(): boolean {
    return this.#ageMs() < this.#freshForMs;
  }

  #coolingDownMs(): number {
    if (this.#pause === null) return 0;
    return Math.max(0, this.#pause.ms - elapsedMs(this.#context.clock, this.#pause.since));
  }

  /** Joins the attempt under way, or makes one unless it is too early. Never rejects. */
  async #refresh(): Promise<void> {
    if (this.#closing.signal.aborted || (this.#flight.size === 0 && this.#coolingDownMs() > 0)) return;
    await this.#flight.run("fetch", async () => await this.#attempt());
  }

  async #attempt(): Promise<void> {
    const { clock } = this.#context;
    const attempt = ++this.#attempts;
    try {
      const { signal } = this.#closing;
      const options = { ...this.#settings, what: "the key set", clock, signal };
      const { status, json } = await fetchJson(this.#settings.url, options);
      if (status !== 200) throw unusable("the key set", `answered ${status}`);
      this.#accept(json, instant(clock), attempt);
      this.#failures = 0;
      this.#lastError = null;
      report(this.#context, "keys_refreshed", `${this.#set.size} usable keys`);
      void this.#save();
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      this.#failures++;
      this.#lastError = describe(error);
      report(this.#context, "keys_failed", this.#lastError);
    } finally {
      this.#pause = { since: instant(clock), ms: this.#pauseMs() };
    }
  }

  /** With keys, failing attempts are at least the cool-down apart; without, recovery is more urgent. */
  #pauseMs(): number {
    const { coolDownMs } = this.#settings;
    const { random } = this.#context;
    if (this.#failures === 0) return coolDownMs;
    if (this.#set.size === 0) {
      return backoffMs(this.#failures, { firstMs: FIRST_RETRY_MS, maxMs: coolDownMs, random });
    }
    const pauseMs = backoffMs(this.#failures, { firstMs: coolDownMs, maxMs: 4 * coolDownMs, random });
    return Math.max(coolDownMs, pauseMs);
  }

  /** Takes over a set. Throws for one without a usable key. */
  #accept(document: unknown, fetchedAt: Instant, attempt: number): void {
    const { keys, rejected } = importJwkSet(document, { algorithms: this.algorithms });
    for (const { index, reason } of rejected) {
      report(this.#context, "keys_rejected", `key ${index} ${reason}`);
    }
    if (keys.length === 0) throw new HoldfastError("invalid_key", "the key set has no usable key");
    const next = this.#set.replacedBy(keys);
    if (!next.equals(this.#set)) {
      this.#set = next;
      this.#version++;
    }
    this.#document = document;
    this.#fetchedAt = fetchedAt;
    this.#fetchedBy = attempt;
    this.#freshForMs = jittered(this.#settings.freshMs, 0.1, this.#context.random);
  }

  get #snapshotName(): string {
    return `keys-${hash("sha256", this.#context.issuer, "hex")}`;
  }

  async #save(): Promise<void> {
    const { clock, snapshots } = this.#context;
    try {
      await snapshots?.save(this.#snapshotName, { savedAt: clock.now(), jwks: this.#document });
    } catch (error) {
      report(this.#context, "snapshot_failed", `saving the key set: ${describe(error)}`);
    }
  }

  /** The last good set of an earlier run. No fetch comes before it is here or given up. Never rejects. */
  async #restore(): Promise<void> {
    const { clock, snapshots } = this.#context;
    if (snapshots === undefined) return;
    try {
      const load = async () => await snapshots.load(this.#snapshotName);
      const saved = await withDeadline(clock, "loading the key set", RESTORE_TIMEOUT_MS, load);
      if (saved === null) return;
      const { savedAt, jwks } = saved as { savedAt?: unknown; jwks?: unknown };
      const now = instant(clock);
      const ageMs = typeof savedAt === "number" ? Math.max(0, now.wall - savedAt) : Infinity;
      this.#accept(jwks, { wall: now.wall - ageMs, monotonic: now.monotonic - ageMs }, 0);
    } catch (error) {
      report(this.#context, "snapshot_failed", `loading the key set: ${describe(error)}`);
    }
  }
}
