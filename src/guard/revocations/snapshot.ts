import { hash, randomUUID } from "node:crypto";
import { elapsedMsBetween, elapsedMs, readClock, type Clock, type Instant } from "../../core/clock.ts";
import { HoldfastError, isHoldfastError } from "../../core/errors.ts";
import { withDeadline } from "../../resilience/deadline.ts";
import type { Snapshots } from "../../stores/store.ts";
import { describeError, emit, type GuardEventSource } from "../emit.ts";
import type { RevocationFollower } from "./follower.ts";
import type { RevocationView } from "./view.ts";
import { rowsDigest, parseHead, MAX_PIECE_ROWS, fromRow, toRow } from "./snapshot-format.ts";
import type { SnapshotHead, SnapshotPiece, RevocationRow } from "./snapshot-format.ts";

/** What is new is saved after this time … */
const NEWS_MS = 1_000;
/** … and how old the view is after this one: after a crash it looks this much older than it is. */
const QUIET_MS = 10_000;
/** Answers wait for it. After this time those that need no view are given without, and it is added when it comes. */
const LOAD_TIMEOUT_MS = 5_000;
const CLOSE_TIMEOUT_MS = 5_000;
/** A disk that hangs is reported after this time. */
const SAVE_TIMEOUT_MS = 60_000;
/** A wall clock that was set back by more does not tell how old something is. */
const SET_BACK_MS = 1_000;

export interface ViewSnapshotOptions {
  readonly source: GuardEventSource & { readonly issuer: string };
  /** Accepted `aud`: what an authority refuses to one audience it may grant to another. */
  readonly audience: readonly string[] | null;
  readonly snapshots: Snapshots;
  readonly view: RevocationView;
  readonly follower: RevocationFollower | undefined;
  readonly clock: Clock;
}

/**
 * The last view of one issuer's revocations, over restarts. Older revocations lie in pieces that are written once;
 * one head names the pieces, holds what came after them and tells how old the view was. Nothing that the head on the
 * disk names is overwritten, so whatever is interrupted leaves the last view. Should another process write under the
 * same name, both end up with what either knew.
 */
export class ViewSnapshot {
  readonly #options: ViewSnapshotOptions;
  readonly #name: string;
  #pieces: SnapshotPiece[] = [];
  /** What is in no piece. */
  #recent: RevocationRow[] = [];
  /** Whether these are all that the view holds. */
  #isAll = true;
  #hasNews = false;
  #onDisk: SnapshotHead | null = null;
  #savedAt: Instant | null = null;
  #savedCompleteAt: Instant | null = null;
  /** Loading, then saving, one after the other. Never rejects. */
  #work: Promise<unknown> = Promise.resolve();
  #stopTimer: () => void = () => {};
  #closed = false;

  constructor(options: ViewSnapshotOptions) {
    this.#options = options;
    const { source, audience, view } = options;
    const whose = JSON.stringify([source.guard, source.issuer, audience]);
    this.#name = `revocations-${hash("sha256", whose, "hex")}`;
    view.subscribe((revocation) => {
      // Where nothing can be saved, it must not grow without end.
      if (this.#recent.length > this.#crowd) this.#forget();
      this.#recent.push(toRow(revocation));
      this.#hasNews = true;
    });
  }

  /** Adds what an earlier run knew to the view; from then on saves what is new. Never rejects. */
  async restore(): Promise<void> {
    const loading = this.#attempt("loading", async () => await this.#restore());
    this.#work = loading;
    await this.#within(LOAD_TIMEOUT_MS, "loading", async () => await loading);
    this.#plan(NEWS_MS);
  }

  /** Saves what is not yet. Never rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#stopTimer();
    await this.#within(CLOSE_TIMEOUT_MS, "saving", async () => {
      await this.#work;
      await this.#saveIfDue(0);
    });
  }

  #plan(ms: number): void {
    if (!this.#closed) this.#stopTimer = this.#options.clock.after(ms, () => void this.#tick());
  }

  async #tick(): Promise<void> {
    const before = this.#work;
    let isSaved = true;
    this.#work = (async () => {
      await before;
      isSaved = await this.#saveIfDue(QUIET_MS);
    })();
    await this.#within(SAVE_TIMEOUT_MS, "saving", async () => await this.#work);
    this.#plan(isSaved ? NEWS_MS : QUIET_MS);
  }

  /** False if it should have been saved and could not be. */
  async #saveIfDue(quietMs: number): Promise<boolean> {
    const { follower, clock } = this.#options;
    const isOlder = (follower?.completeAt ?? null) !== this.#savedCompleteAt;
    const isQuiet = this.#savedAt !== null && elapsedMs(clock, this.#savedAt) < quietMs;
    if (!this.#hasNews && (!isOlder || isQuiet)) return true;
    return await this.#attempt("saving", async () => await this.#save());
  }

  async #restore(): Promise<void> {
    const { source, clock, follower, view } = this.#options;
    const head = await this.#loadHead();
    if (head === null) return;
    this.#onDisk = head;
    if (!(await this.#take(head))) {
      this.#forget();
      throw new HoldfastError("store_corrupt", "a part is missing, damaged or finds no room");
    }
    this.#pieces = [...head.pieces];
    if (head.position !== null) view.resume(head.position);
    if (head.ageMs === null) return;
    const sinceMs = clock.now() - head.savedAt;
    if (sinceMs < -SET_BACK_MS) {
      const message = "the clock was set back since the view of revocations was saved: its age is not known";
      emit(source, "snapshot_failed", message);
      return;
    }
    follower?.resume(head.ageMs + Math.max(0, sinceMs));
    this.#savedCompleteAt = follower?.completeAt ?? null;
  }

  async #save(): Promise<void> {
    const { source, snapshots, view, follower, clock } = this.#options;
    const found = await this.#loadHead().catch((error: unknown) => {
      if (isHoldfastError(error, "store_newer")) throw error;
      return null;
    });
    if (found?.id !== this.#onDisk?.id) {
      if (found !== null) await this.#take(found);
      this.#onDisk = found;
      this.#forget();
    }
    for (;;) {
      const inPieces = this.#pieces.reduce((sum, { rows }) => sum + rows, 0);
      if (!this.#isAll || inPieces + this.#recent.length > this.#crowd) this.#beginAnew();
      if (this.#recent.length <= MAX_PIECE_ROWS) break;
      await this.#savePiece(this.#recent.splice(0, MAX_PIECE_ROWS));
    }
    // Nothing is waited for in between: what is said of the view is about these very revocations.
    const now = readClock(clock);
    const completeAt = follower?.completeAt ?? null;
    const head: SnapshotHead = {
      version: 1,
      id: randomUUID(),
      issuer: source.issuer,
      savedAt: now.wall,
      ageMs: completeAt && elapsedMsBetween(completeAt, now),
      position: view.position,
      pieces: [...this.#pieces],
      recent: [...this.#recent],
    };
    this.#hasNews = false;
    try {
      await snapshots.save(this.#name, head);
    } catch (error) {
      this.#hasNews = true;
      throw error;
    }
    this.#onDisk = head;
    this.#savedAt = now;
    this.#savedCompleteAt = completeAt;
  }

  /** So many are mostly what the view has dropped meanwhile. */
  get #crowd(): number {
    return 2 * (this.#options.view.size + MAX_PIECE_ROWS);
  }

  /** Everything is to be written again. */
  #forget(): void {
    this.#pieces = [];
    this.#recent = [];
    this.#isAll = false;
  }

  #beginAnew(): void {
    this.#pieces = [];
    this.#recent = [...this.#options.view.revocations()].map(toRow);
    this.#isAll = true;
  }

  async #savePiece(rows: readonly RevocationRow[]): Promise<void> {
    const taken = new Set([...this.#pieces, ...(this.#onDisk?.pieces ?? [])].map(({ slot }) => slot));
    let slot = 0;
    while (taken.has(slot)) slot++;
    try {
      await this.#options.snapshots.save(`${this.#name}-${slot}`, rows);
      this.#pieces.push({ slot, digest: rowsDigest(rows), rows: rows.length });
    } catch (error) {
      this.#forget();
      throw error;
    }
  }

  async #loadHead(): Promise<SnapshotHead | null> {
    const { snapshots, source } = this.#options;
    return parseHead(await snapshots.load(this.#name), source.issuer);
  }

  /** Adds what can be read; false if that is not all. */
  async #take({ pieces, recent }: SnapshotHead): Promise<boolean> {
    const { snapshots } = this.#options;
    let isWhole = true;
    for (const { slot, digest } of pieces) {
      try {
        const rows = await snapshots.load(`${this.#name}-${slot}`);
        // Only rows have the digest of rows.
        isWhole = rowsDigest(rows) === digest && this.#add(rows as RevocationRow[], true) && isWhole;
      } catch {
        isWhole = false;
      }
    }
    return this.#add(recent, false) && isWhole;
  }

  /** What is on the disk is no news, and what is in a piece need not be in the head. */
  #add(rows: readonly RevocationRow[], isPiece: boolean): boolean {
    const { view, source } = this.#options;
    const { length } = this.#recent;
    const hadNews = this.#hasNews;
    const isWhole = view.restore(rows.map((row) => fromRow(row, source.issuer)));
    if (isPiece) this.#recent.splice(length);
    this.#hasNews = hadNews;
    return isWhole;
  }

  /** Reports what fails. */
  async #attempt(doing: string, work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      const message = `${doing} the view of revocations: ${describeError(error)}`;
      emit(this.#options.source, "snapshot_failed", message);
      return false;
    }
  }

  async #within(ms: number, doing: string, work: () => Promise<unknown>): Promise<void> {
    await this.#attempt(doing, async () => {
      await withDeadline(this.#options.clock, "it", ms, work);
    });
  }
}
