import { elapsedMsBetween, readClock, type Clock, type Instant } from "../../core/clock.ts";
import { HoldfastError } from "../../core/errors.ts";
import type { RevocationEntry } from "../../core/revocation.ts";
import { backoffMs } from "../../resilience/backoff.ts";
import { withDeadline } from "../../resilience/deadline.ts";
import type { RevocationFeed } from "../../stores/store.ts";
import { describeError, emit, type GuardEventSource } from "../emit.ts";
import type { RevocationView } from "./view.ts";
import type { RevocationsStatus } from "../types.ts";

/** For one question to the feed, if it does not say how long its snapshots take. */
const READ_TIMEOUT_MS = 5_000;
/** Back-off goes no further: a feed that is back is noticed within this time. */
const MAX_BACKOFF_MS = 5_000;
const PRUNE_EVERY_MS = 60_000;

export interface FollowerOptions {
  readonly source: GuardEventSource;
  readonly feed: RevocationFeed;
  readonly view: RevocationView;
  readonly pollMs: number;
  /** An older view serves nobody. */
  readonly maxAgeMs: number;
  readonly clock: Clock;
  readonly random: () => number;
}

/**
 * Keeps a view of revocations up to date: a snapshot first and after every gap, then what subscriptions bring, at
 * once, and what polls bring. Knows since when the view may lack something.
 */
export class RevocationFollower {
  readonly #options: FollowerOptions;
  /** When the last read began that left nothing missing. */
  #completeAt: Instant | null = null;
  readonly #firstComplete: PromiseWithResolvers<void> = Promise.withResolvers();
  #reading: Promise<void> | null = null;
  #pollAgain = false;
  #failures = 0;
  /** Whether the last read of this run left nothing missing. */
  #synced = false;
  #lastError: string | null = null;
  #unsubscribe: () => void = () => {};
  #stopTimer: () => void = () => {};
  readonly #closing = new AbortController();
  readonly #startedAt: Instant;
  #prunedAt: Instant;

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#startedAt = readClock(options.clock);
    this.#prunedAt = this.#startedAt;
  }

  start(): void {
    // First, so that nothing falls between the snapshot and the subscription.
    this.#unsubscribe = this.#options.feed.subscribe((entries) => this.#receive(entries));
    this.#poll();
  }

  get view(): RevocationView {
    return this.#options.view;
  }

  /** When the read began that last left nothing missing; `null` before the first. */
  get completeAt(): Instant | null {
    return this.#completeAt;
  }

  /** An earlier run left a view that was complete `ageMs` ago: serves until the feed answers, unless it is too old. */
  resume(ageMs: number): void {
    const { clock, maxAgeMs } = this.#options;
    const { wall, monotonic } = readClock(clock);
    this.#completeAt ??= { wall: wall - ageMs, monotonic: monotonic - ageMs };
    if (ageMs <= maxAgeMs) this.#firstComplete.resolve();
  }

  /** How old the complete view is; `Infinity` when it never was complete. */
  ageMs(now: Instant): number {
    return this.#completeAt === null ? Infinity : Math.max(0, elapsedMsBetween(this.#completeAt, now));
  }

  status(): RevocationsStatus {
    const { view, clock } = this.#options;
    return {
      complete: view.position !== null && this.#synced,
      ageMs: this.ageMs(readClock(clock)),
      entries: view.size,
      seq: view.position?.seq ?? 0,
      lastError: this.#lastError,
    };
  }

  /** Resolves once the view was complete, not too long ago. */
  async ready(): Promise<void> {
    await this.#firstComplete.promise;
  }

  /** A read under way is given up: nothing keeps the process alive. */
  close(): void {
    this.#closing.abort();
    this.#unsubscribe();
    this.#stopTimer();
  }

  get #closed(): boolean {
    return this.#closing.signal.aborted;
  }

  #receive(entries: readonly RevocationEntry[]): void {
    if (this.#closed || this.#options.view.append(entries)) return;
    this.#poll();
  }

  /** One read at a time; who asks during one gets another afterwards. */
  #poll(): void {
    this.#stopTimer();
    if (this.#reading !== null) {
      this.#pollAgain = true;
      return;
    }
    this.#pollAgain = false;
    this.#reading = this.#read().finally(() => {
      this.#reading = null;
      if (this.#closed) return;
      if (this.#pollAgain && this.#failures === 0) this.#poll();
      else this.#stopTimer = this.#options.clock.after(this.#pauseMs(), () => this.#poll());
    });
  }

  #pauseMs(): number {
    const { pollMs, random } = this.#options;
    if (this.#failures === 0) return pollMs;
    const maxMs = Math.max(pollMs, MAX_BACKOFF_MS);
    return backoffMs(this.#failures, { firstMs: 2 * pollMs, maxMs, random });
  }

  /** Never rejects. */
  async #read(): Promise<void> {
    const { source, clock, view } = this.#options;
    const began = readClock(clock);
    // Before the read, and whatever comes of it: a view at its bound gets room only by this.
    this.#prune(began);
    try {
      if (view.position !== null) await this.#readTail();
      if (view.position === null) await this.#readSnapshot();
      if (this.#closed) return;
      if (!this.#synced) {
        emit(source, "revocations_synced", `complete up to entry ${view.position?.seq ?? 0}`);
      }
      this.#completeAt = began;
      this.#synced = true;
      this.#failures = 0;
      this.#lastError = null;
      this.#firstComplete.resolve();
    } catch (error) {
      if (this.#closed) return;
      this.#failures++;
      this.#synced = false;
      this.#lastError = describeError(error);
      emit(source, "revocations_failed", this.#lastError);
    }
  }

  async #readTail(): Promise<void> {
    const { source, feed, view } = this.#options;
    const { position } = view;
    if (position === null) return;
    const tail = await this.#withinDeadline(READ_TIMEOUT_MS, async () => await feed.after(position));
    if (tail.status === "ok" && Array.isArray(tail.entries) && view.append(tail.entries)) return;
    emit(source, "revocations_gap", `the log does not go on from entry ${position.seq}`);
    view.markIncomplete();
  }

  async #readSnapshot(): Promise<void> {
    const { feed, view } = this.#options;
    const snapshot = await this.#withinDeadline(
      feed.snapshotTimeoutMs ?? READ_TIMEOUT_MS,
      async () => await feed.snapshot(),
    );
    view.load(snapshot);
    if (view.position === null) {
      throw new HoldfastError("store_corrupt", "the snapshot of revocations is too large or not understood");
    }
  }

  /** By the slower clock: a wall clock that is ahead for a while must not make a revocation forgotten. */
  #prune(now: Instant): void {
    if (elapsedMsBetween(this.#prunedAt, now) < PRUNE_EVERY_MS) return;
    this.#prunedAt = now;
    const elapsed = now.monotonic - this.#startedAt.monotonic;
    this.#options.view.prune(Math.min(now.wall, this.#startedAt.wall + elapsed));
  }

  /** What arrives after the deadline is not applied by anybody. */
  async #withinDeadline<T>(timeoutMs: number, question: () => Promise<T>): Promise<T> {
    const { clock } = this.#options;
    const { signal } = this.#closing;
    return await withDeadline(clock, "reading revocations", timeoutMs, question, signal);
  }
}
