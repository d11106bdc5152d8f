import { rmSync } from "node:fs";
import { join } from "node:path";
import { readImage, tear, writeImage, databasePath, type DiskImage, type Tear } from "./disk-image.ts";

/** The size of the header of a write-ahead log, bytes. */
const LOG_HEADER = 32;

/** The files after a commit that a lying disk acknowledged. */
interface LyingImage {
  readonly image: DiskImage;
  readonly at: number;
}

/**
 * A disk with one SQLite database. Each power failure moves the database to a new folder, with the bytes that the disk
 * kept. The files in the folder before stay open in the process that crashed, and no new process sees them.
 *
 * SQLite syncs the log at each commit and the database at the end of a checkpoint. So all bytes are durable between two
 * commits, unless the disk lies.
 */
export class SimulatedDisk {
  readonly #root: string;
  readonly #random: () => number;
  readonly #now: () => number;
  #life = 1;
  /** The images since the disk began to lie, one after each commit, and when. `null` while the disk is honest. */
  #images: LyingImage[] | null = null;
  /** The image before the commit in which the power will fail. */
  #before: DiskImage | null = null;
  #isArmed = false;

  /** `root` is an empty folder for all files. `now` is the true time. */
  constructor(root: string, random: () => number, now: () => number = () => 0) {
    this.#root = root;
    this.#random = random;
    this.#now = now;
    writeImage(this.folder, { database: Buffer.alloc(0), log: Buffer.alloc(0) });
  }

  /** The folder of the files that the process of now has open. */
  get folder(): string {
    return join(this.#root, String(this.#life));
  }

  /** The path of the database. */
  get file(): string {
    return databasePath(this.folder);
  }

  /** From now on the disk acknowledges syncs and keeps the bytes in its cache, until `stopLying`. */
  lie(): void {
    this.#images ??= [this.#takeImage()];
  }

  stopLying(): void {
    this.#images = null;
  }

  /** Whether all that the disk has acknowledged is durable, and the power will not fail. */
  get isHonest(): boolean {
    return this.#images === null && !this.#isArmed;
  }

  /** Lets another program change the database, while no process has it open. The change is durable. */
  rewrite(change: (file: string) => void): void {
    this.#fail(readImage(this.folder));
    change(this.file);
  }

  /** Lets the power fail within the next commit. */
  armCrash(): void {
    this.#isArmed = true;
  }

  /** Called before each commit. */
  beginCommit(): void {
    if (this.#isArmed) this.#before = readImage(this.folder);
  }

  /**
   * Called when a commit is done and not acknowledged yet. Returns the times of the commits that the disk has lost although
   * it had acknowledged them. `null` when the power has not failed.
   */
  endCommit(): readonly number[] | null {
    this.#images?.push(this.#takeImage());
    const before = this.#before;
    if (before === null) return null;
    this.#before = null;
    this.#isArmed = false;
    if (this.#images !== null) return this.crash();
    this.#fail(this.#tearCommit(before, readImage(this.folder)));
    return [];
  }

  /** Lets the power fail now. Returns the times of the commits that the disk had acknowledged and lost. */
  crash(): readonly number[] {
    const { image, lost } = this.#loseCache();
    this.#fail(image);
    return lost;
  }

  /** Removes the files. */
  remove(): void {
    rmSync(this.#root, { recursive: true, force: true });
  }

  /**
   * The power fails while the log is written, or while a checkpoint copies pages to the database. SQLite syncs the log
   * before a checkpoint, so the log is whole then. When it begins the log anew, it syncs the header before the rest.
   */
  #tearCommit(before: DiskImage, after: DiskImage): DiskImage {
    const isCheckpoint = !before.database.equals(after.database) && this.#random() < 0.5;
    if (isCheckpoint) return { database: this.#tear(before.database, after.database), log: after.log };
    const log = this.#tear(before.log, after.log);
    after.log.copy(log, 0, 0, Math.min(LOG_HEADER, log.length));
    return { database: before.database, log };
  }

  /** The disk loses all that it was told after some moment since it began to lie. It keeps the order of its writes. */
  #loseCache(): { readonly image: DiskImage; readonly lost: readonly number[] } {
    const images = this.#images ?? [this.#takeImage()];
    const last = Math.floor(this.#random() * images.length);
    const [{ image }, ...lost] = images.slice(last) as [LyingImage, ...LyingImage[]];
    const [next] = lost;
    return {
      image: next === undefined ? image : this.#tearCommit(image, next.image),
      lost: lost.map(({ at }) => at),
    };
  }

  #takeImage(): LyingImage {
    return { image: readImage(this.folder), at: this.#now() };
  }

  #tear(before: Buffer, after: Buffer): Buffer {
    const how: Tear = this.#random() < 0.5 ? "prefix" : "sectors";
    return tear(before, after, how, this.#random);
  }

  #fail(image: DiskImage): void {
    this.#life++;
    this.#images = null;
    writeImage(this.folder, image);
  }
}
