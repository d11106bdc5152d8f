import { elapsedMsBetween, readClock, type Clock, type Instant } from "../../core/clock.ts";
import { HoldfastError } from "../../core/errors.ts";
import type { RevocationEntry } from "../../core/revocation.ts";
import { backoffMs } from "../../resilience/backoff.ts";
import { withDeadline } from "../../resilience/deadline.ts";
import type { RevocationFeed, SnapshotPage } from "../../stores/store.ts";
import { describeError, emit, type GuardEventSource } from "../emit.ts";
import { joinSnapshot } from "./joined-pages.ts";
import type { RevocationView } from "./view.ts";
import type { RevocationsStatus } from "../status-types.ts";

/** Deadline of one read, and of each page of a snapshot when the feed has no `snapshotTimeoutMs`. */
const READ_TIMEOUT_MS = 5_000;
/** The longest back-off. A feed that recovers is noticed within this time. */
const MAX_BACKOFF_MS = 5_000;
const PRUNE_INTERVAL_MS = 60_000;
/** How long a validation waits for the read that makes the view recent again. */
const CATCH_UP_MS = 1_000;
/** A read is overdue when two intervals and this time have gone by since the last one. */
const OVERDUE_MS = 1_000;

export interface FollowerOptions {
  readonly source: GuardEventSource;
  readonly feed: RevocationFeed;
  readonly view: RevocationView;
  readonly pollMs: number;
  /** A restored view that is older than this does not make the guard ready. */
  readonly maxAgeMs: number;
  readonly clock: Clock;
  readonly random: () => number;
}

/**
 * Keeps a view of revocations up to date. The follower reads a snapshot at the start and after every gap, then
 * applies the entries of its subscription and of its polls. It knows since when the view may lack an entry.
 */
export class RevocationFollower {
  readonly #options: FollowerOptions;
  /** When the last complete read began. `null` before the first one. */
  #completeAt: Instant | null = null;
  readonly #firstComplete: PromiseWithResolvers<void> = Promise.withResolvers();
  #reading: Promise<void> | null = null;
  #pollAgain = false;
  #catchingUp: Promise<void> | null = null;
  #failures = 0;
  /** Whether the last read of this process was complete. */
  #synced = false;
  #lastError: string | null = null;
  /** The tokens that were refused since the last complete read, because the view was too old. */
  #refused: "none" | "of some rules" | "all" = "none";
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
    // The subscription comes first, so that no entry is lost between the snapshot and the subscription.
    this.#unsubscribe = this.#options.feed.subscribe((entries) => this.#receive(entries));
    this.#poll();
  }

  get view(): RevocationView {
    return this.#options.view;
  }

  /** When the last complete read began. `null` before the first one. */
  get completeAt(): Instant | null {
    return this.#completeAt;
  }

  /**
   * Continues with a view that an earlier process saved and that was complete `ageMs` ago. The guard is ready with
   * it before the feed answers, unless the view is too old.
   */
  resume(ageMs: number): void {
    const { clock, maxAgeMs } = this.#options;
    const { wall, monotonic } = readClock(clock);
    this.#completeAt ??= { wall: wall - ageMs, monotonic: monotonic - ageMs };
    if (ageMs <= maxAgeMs) this.#firstComplete.resolve();
  }

  /** Time since the view was complete. `Infinity` when it never was. */
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

  /**
   * Records that a token was refused because the view is too old. Tells once that this begins, and once more when it
   * concerns all tokens. A process that was frozen reads again at once, so its first refusals tell nothing.
   */
  recordRefusal(): void {
    const { source, clock, maxAgeMs } = this.#options;
    const ageMs = this.ageMs(readClock(clock));
    const concerned = ageMs > maxAgeMs ? "all" : "of some rules";
    if (this.#failures === 0 || this.#refused === "all" || this.#refused === concerned) return;
    this.#refused = concerned;
    const which = concerned === "all" ? "tokens" : "tokens under rules with a smaller maxRevocationAgeMs";
    emit(source, "revocations_stale", `${which} are unavailable (503): ${describeAge(ageMs)}`);
  }

  /** Resolves when the first read is complete, or when a restored view is recent enough. */
  async ready(): Promise<void> {
    await this.#firstComplete.promise;
  }

  /**
   * Waits for the end of the first read, at most a second. It ends at once with a restored view that is recent enough.
   * Never rejects.
   */
  async firstRead(): Promise<void> {
    const read = async () => await Promise.race([this.#firstComplete.promise, this.#reading]);
    const { signal } = this.#closing;
    await withDeadline(this.#options.clock, "the first read", CATCH_UP_MS, read, signal).catch(
      () => undefined,
    );
  }

  /**
   * Waits until a read that began after this call is complete. `null` when no wait would help: the reads fail, the view
   * was never complete, or no read is overdue. A process that was frozen finds its reads overdue although none failed.
   */
  catchUp(now: Instant): Promise<void> | null {
    const isOverdue = this.#completeAt !== null && this.ageMs(now) > 2 * this.#options.pollMs + OVERDUE_MS;
    if (!isOverdue || this.#failures > 0 || this.#closed) return null;
    return (this.#catchingUp ??= this.#waitForRead().finally(() => (this.#catchingUp = null)));
  }

  /** Never rejects. */
  async #waitForRead(): Promise<void> {
    const { clock } = this.#options;
    const since = clock.monotonic();
    const read = async () => {
      // A read that began before the freeze says nothing about the time since.
      while (this.#failures === 0 && !this.#closed && (this.#completeAt?.monotonic ?? since) < since) {
        if (this.#reading === null) this.#poll();
        await this.#reading;
      }
    };
    await withDeadline(clock, "catching up", CATCH_UP_MS, read, this.#closing.signal).catch(() => undefined);
  }

  /** Aborts a read in flight and stops the timers, so that the process can exit. */
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

  /** Starts a read. A poll during a read starts another read after it. */
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
    const startedAt = readClock(clock);
    // Pruning does not depend on the read: only pruning makes room in a full view.
    await this.#prune(startedAt);
    try {
      if (view.position !== null) await this.#readTail();
      const completeAt = view.position === null ? await this.#readSnapshot() : startedAt;
      if (this.#closed) return;
      if (!this.#synced) emit(source, "revocations_synced", this.#describeSync(startedAt));
      this.#completeAt = completeAt;
      this.#synced = true;
      this.#failures = 0;
      this.#refused = "none";
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

  #describeSync(now: Instant): string {
    const complete = `complete up to entry ${this.#options.view.position?.seq ?? 0}`;
    const ageMs = this.ageMs(now);
    if (this.#failures === 0 || ageMs === Infinity) return complete;
    const again = `revocations arrive again after ${Math.round(ageMs / 1_000)} s, ${complete}`;
    return this.#refused === "none" ? again : `${again}; tokens are no longer unavailable`;
  }

  async #readTail(): Promise<void> {
    const { source, feed, view } = this.#options;
    const { position } = view;
    if (position === null) return;
    const tail = await this.#withinDeadline(READ_TIMEOUT_MS, async () => await feed.after(position));
    const isTail = tail.status === "ok" && Array.isArray(tail.entries);
    if (isTail && (await view.appendInTurns(tail.entries))) return;
    emit(source, "revocations_gap", `the log does not continue after entry ${position.seq}`);
    view.markIncomplete();
  }

  /** Returns when the read of the snapshot began, which another guard of this process may have done earlier. */
  async #readSnapshot(): Promise<Instant> {
    const { feed, view, clock } = this.#options;
    const read = joinSnapshot(feed, clock);
    try {
      await view.loadInTurns(this.#pagesWithinDeadline(read.pages), () => this.#closed);
    } catch (error) {
      read.forget();
      throw error;
    } finally {
      read.end();
    }
    if (!this.#closed && view.position === null) {
      throw new HoldfastError("store_corrupt", "the snapshot of revocations is too large or malformed");
    }
    return read.startedAt;
  }

  /** Each page has its own deadline. A large log takes many pages, and a slow machine would never be done with all in time. */
  async *#pagesWithinDeadline(pages: AsyncGenerator<SnapshotPage>): AsyncGenerator<SnapshotPage> {
    const timeoutMs = this.#options.feed.snapshotTimeoutMs ?? READ_TIMEOUT_MS;
    for (;;) {
      const { value, done } = await this.#withinDeadline(timeoutMs, async () => await pages.next());
      if (done === true) return;
      yield value;
    }
  }

  /** Drops expired revocations by the slower of the two clocks, because a wall clock that runs ahead must not drop one early. */
  async #prune(now: Instant): Promise<void> {
    if (elapsedMsBetween(this.#prunedAt, now) < PRUNE_INTERVAL_MS) return;
    this.#prunedAt = now;
    const elapsed = now.monotonic - this.#startedAt.monotonic;
    await this.#options.view.pruneInTurns(Math.min(now.wall, this.#startedAt.wall + elapsed));
  }

  /** Runs one read of the feed. A result that arrives after the deadline is discarded. */
  async #withinDeadline<T>(timeoutMs: number, read: () => Promise<T>): Promise<T> {
    const { clock } = this.#options;
    const { signal } = this.#closing;
    return await withDeadline(clock, "reading revocations", timeoutMs, read, signal);
  }
}

function describeAge(ageMs: number): string {
  if (ageMs === Infinity) return "the revocations could not be read yet";
  return `new revocations have not arrived for ${Math.round(ageMs / 1_000)} s`;
}
