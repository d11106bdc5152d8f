import { hash } from "node:crypto";
import { elapsedMsBetween, elapsedMs, readClock, type Clock, type Instant } from "../../core/clock.ts";
import type { Entropy } from "../../core/entropy.ts";
import { HoldfastError, isHoldfastError } from "../../core/errors.ts";
import { withDeadline } from "../../resilience/deadline.ts";
import { ownTurn } from "../../resilience/turns.ts";
import type { Snapshots } from "../../stores/store.ts";
import { describeError, emit, type GuardEventSource } from "../emit.ts";
import type { RevocationFollower } from "./follower.ts";
import type { RevocationView } from "./view.ts";
import { rowsDigest, parseHead, MAX_PIECE_ROWS, fromRow, toRow } from "./snapshot-format.ts";
import type { SnapshotHead, SnapshotPiece, RevocationRow } from "./snapshot-format.ts";
import { UnsavedRows } from "./unsaved-rows.ts";

/** New revocations are saved after this time. */
const SAVE_INTERVAL_MS = 1_000;
/** The age of the view is saved after this time. This time is the largest error of the age after a crash. */
const AGE_INTERVAL_MS = 10_000;
/** Validation waits this long for the snapshot. A snapshot that loads later is added when it arrives. */
const LOAD_TIMEOUT_MS = 5_000;
const CLOSE_TIMEOUT_MS = 5_000;
/** A save that takes longer is reported. */
const SAVE_TIMEOUT_MS = 60_000;
/** When the wall clock was set back by more than this, the age of a saved view is unknown. */
const MAX_SET_BACK_MS = 1_000;

export interface ViewSnapshotOptions {
  readonly source: GuardEventSource & { readonly issuer: string };
  /** Accepted `aud`. It is part of the snapshot's name, because an authority may deny a token to one audience only. */
  readonly audience: readonly string[] | null;
  readonly snapshots: Snapshots;
  readonly view: RevocationView;
  readonly follower: RevocationFollower | undefined;
  readonly clock: Clock;
  readonly entropy: Entropy;
}

/**
 * Keeps the view of one issuer's revocations across restarts (decision 0016). Older revocations are stored in pieces
 * that are written once. One head names the pieces, holds the newer revocations and records the age of the view.
 * A save never overwrites a piece that the stored head names, so an interrupted save leaves the previous view. When two
 * processes write under the same name, each adds the revocations of the other.
 */
export class ViewSnapshot {
  readonly #options: ViewSnapshotOptions;
  readonly #name: string;
  #pieces: SnapshotPiece[] = [];
  readonly #unsaved = new UnsavedRows();
  /** Whether the view is adding a saved piece, whose rows are not unsaved. */
  #isAddingPiece = false;
  /** Whether `#pieces` and `#unsaved` hold the whole view. */
  #holdsWholeView = true;
  #hasUnsaved = false;
  #savedHead: SnapshotHead | null = null;
  #savedAt: Instant | null = null;
  #savedCompleteAt: Instant | null = null;
  /** The load, then one save after the other. Never rejects. */
  #queue: Promise<unknown> = Promise.resolve();
  #stopTimer: () => void = () => {};
  #closed = false;

  constructor(options: ViewSnapshotOptions) {
    this.#options = options;
    const { source, audience, view } = options;
    const identity = JSON.stringify([source.guard, source.issuer, audience]);
    this.#name = `revocations-${hash("sha256", identity, "hex")}`;
    view.subscribe((revocation) => {
      if (this.#isAddingPiece) return;
      // While saves fail, the rows must not grow without bound. The next save then writes the whole view.
      if (this.#unsaved.length > this.#rewriteAbove) this.#discardRows();
      this.#unsaved.push(toRow(revocation));
      this.#hasUnsaved = true;
    });
  }

  /** Adds the saved revocations to the view, then starts to save new ones. Never rejects. */
  async restore(): Promise<void> {
    const loading = this.#attempt("loading", async () => await this.#restore());
    this.#queue = loading;
    await this.#withinDeadline(LOAD_TIMEOUT_MS, "loading", async () => await loading);
    this.#schedule(SAVE_INTERVAL_MS);
  }

  /** Saves what is unsaved. Never rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#stopTimer();
    await this.#withinDeadline(CLOSE_TIMEOUT_MS, "saving", async () => {
      await this.#queue;
      await this.#saveIfDue(0);
    });
  }

  #schedule(ms: number): void {
    if (!this.#closed) this.#stopTimer = this.#options.clock.after(ms, () => void this.#saveOnTimer());
  }

  async #saveOnTimer(): Promise<void> {
    if (!this.#isDue(AGE_INTERVAL_MS)) {
      this.#schedule(SAVE_INTERVAL_MS);
      return;
    }
    const earlier = this.#queue;
    let isSaved = true;
    this.#queue = (async () => {
      await earlier;
      isSaved = await this.#saveIfDue(AGE_INTERVAL_MS);
    })();
    await this.#withinDeadline(SAVE_TIMEOUT_MS, "saving", async () => await this.#queue);
    this.#schedule(isSaved ? SAVE_INTERVAL_MS : AGE_INTERVAL_MS);
  }

  /** Whether there are new revocations, or the last save of the view's age is `ageIntervalMs` ago. */
  #isDue(ageIntervalMs: number): boolean {
    const { follower, clock } = this.#options;
    if (this.#hasUnsaved) return true;
    if ((follower?.completeAt ?? null) === this.#savedCompleteAt) return false;
    return this.#savedAt === null || elapsedMs(clock, this.#savedAt) >= ageIntervalMs;
  }

  /** Saves what is due. Returns false when the save failed. */
  async #saveIfDue(ageIntervalMs: number): Promise<boolean> {
    return !this.#isDue(ageIntervalMs) || (await this.#attempt("saving", async () => await this.#save()));
  }

  async #restore(): Promise<void> {
    const { source, clock, follower, view } = this.#options;
    const head = await this.#loadHead();
    if (head === null) return;
    this.#savedHead = head;
    if (!(await this.#addSaved(head))) {
      this.#discardRows();
      throw new HoldfastError("store_corrupt", "a part is missing, damaged or too large");
    }
    this.#pieces = [...head.pieces];
    if (head.position !== null) view.resume(head.position);
    if (head.ageMs === null) return;
    const sinceMs = clock.now() - head.savedAt;
    if (sinceMs < -MAX_SET_BACK_MS) {
      const message = "the clock was set back since the view of revocations was saved, so its age is unknown";
      emit(source, "snapshot_failed", message);
      return;
    }
    follower?.resume(head.ageMs + Math.max(0, sinceMs));
    this.#savedCompleteAt = follower?.completeAt ?? null;
  }

  async #save(): Promise<void> {
    const { source, snapshots, view, follower, clock, entropy } = this.#options;
    const stored = await this.#loadHead().catch((error: unknown) => {
      if (isHoldfastError(error, "store_newer")) throw error;
      return null;
    });
    // Another head means that another process saved. Its revocations are added, and the whole view is written again.
    if (stored?.id !== this.#savedHead?.id) {
      if (stored !== null) await this.#addSaved(stored);
      this.#savedHead = stored;
      this.#discardRows();
    }
    do {
      const inPieces = this.#pieces.reduce((sum, { rows }) => sum + rows, 0);
      if (!this.#holdsWholeView || inPieces + this.#unsaved.length > this.#rewriteAbove)
        await this.#saveWholeView();
      else await this.#savePieces();
    } while (!this.#holdsWholeView || this.#unsaved.hasPiece);
    // The head is built without an await, so that its age and position describe exactly these rows.
    const now = readClock(clock);
    const completeAt = follower?.completeAt ?? null;
    const head: SnapshotHead = {
      version: 1,
      id: entropy.uuid(),
      issuer: source.issuer,
      savedAt: now.wall,
      ageMs: completeAt && elapsedMsBetween(completeAt, now),
      position: view.position,
      pieces: [...this.#pieces],
      recent: [...this.#unsaved.recent],
    };
    this.#hasUnsaved = false;
    try {
      await snapshots.save(this.#name, head);
    } catch (error) {
      this.#hasUnsaved = true;
      throw error;
    }
    this.#savedHead = head;
    this.#savedAt = now;
    this.#savedCompleteAt = completeAt;
  }

  /** With more saved rows than this, most of them have left the view, and the whole view is written again. */
  get #rewriteAbove(): number {
    return 2 * (this.#options.view.size + MAX_PIECE_ROWS);
  }

  /** Drops the rows, so that the next save writes the whole view again. */
  #discardRows(): void {
    this.#pieces = [];
    this.#unsaved.clear();
    this.#holdsWholeView = false;
  }

  /**
   * Writes the pieces of the whole view, and leaves the last rows unsaved. Some of the revocations that arrive during the
   * save are written twice. The view merges such rows when it is restored.
   */
  async #saveWholeView(): Promise<void> {
    this.#discardRows();
    this.#holdsWholeView = true;
    for (const revocation of this.#options.view.revocations()) {
      this.#unsaved.push(toRow(revocation));
      if (this.#unsaved.hasPiece) await this.#savePieces();
      if (!this.#holdsWholeView) return;
    }
  }

  /** Saves the full pieces of the unsaved rows, each in a turn of the event loop. */
  async #savePieces(): Promise<void> {
    for (let json = this.#unsaved.takePiece(); json !== null; json = this.#unsaved.takePiece()) {
      await this.#savePiece(JSON.parse(new TextDecoder().decode(json)) as RevocationRow[]);
      await ownTurn(this.#options.clock);
    }
  }

  async #savePiece(rows: readonly RevocationRow[]): Promise<void> {
    const usedSlots = new Set([...this.#pieces, ...(this.#savedHead?.pieces ?? [])].map(({ slot }) => slot));
    let slot = 0;
    while (usedSlots.has(slot)) slot++;
    try {
      await this.#options.snapshots.save(`${this.#name}-${slot}`, rows);
      this.#pieces.push({ slot, digest: rowsDigest(rows), rows: rows.length });
    } catch (error) {
      this.#discardRows();
      throw error;
    }
  }

  async #loadHead(): Promise<SnapshotHead | null> {
    const { snapshots, source } = this.#options;
    return parseHead(await snapshots.load(this.#name), source.issuer);
  }

  /** Adds the readable rows of a saved snapshot. Returns false when some are missing. */
  async #addSaved({ pieces, recent }: SnapshotHead): Promise<boolean> {
    const { snapshots } = this.#options;
    let isComplete = true;
    for (const { slot, digest } of pieces) {
      try {
        const rows = await snapshots.load(`${this.#name}-${slot}`);
        // The digest covers the rows, so a value with this digest is a list of rows.
        isComplete =
          rowsDigest(rows) === digest && this.#addRows(rows as RevocationRow[], true) && isComplete;
      } catch {
        isComplete = false;
      }
      await ownTurn(this.#options.clock);
    }
    return this.#addRows(recent, false) && isComplete;
  }

  /** Adds saved rows to the view. They count as saved, and no row of a piece becomes an unsaved row. */
  #addRows(rows: readonly RevocationRow[], isPiece: boolean): boolean {
    const { view, source } = this.#options;
    const hadUnsaved = this.#hasUnsaved;
    this.#isAddingPiece = isPiece;
    const isComplete = view.restore(rows.map((row) => fromRow(row, source.issuer)));
    this.#isAddingPiece = false;
    this.#hasUnsaved = hadUnsaved;
    return isComplete;
  }

  /** Runs `work`, emits an event when it fails, and returns whether it succeeded. */
  async #attempt(action: string, work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      const message = `${action} the view of revocations: ${describeError(error)}`;
      emit(this.#options.source, "snapshot_failed", message);
      return false;
    }
  }

  async #withinDeadline(ms: number, action: string, work: () => Promise<unknown>): Promise<void> {
    await this.#attempt(action, async () => {
      await withDeadline(this.#options.clock, "it", ms, work);
    });
  }
}
