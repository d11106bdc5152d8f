import { rmSync } from "node:fs";
import { join } from "node:path";
import { readImage, tear, writeImage, databasePath, type DiskImage, type Tear } from "./disk-image.ts";

/** The size of the header of a write-ahead log, bytes. */
const LOG_HEADER = 32;

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
  #life = 1;
  /** The images since the disk began to lie, one after each commit. `null` while the disk is honest. */
  #images: DiskImage[] | null = null;
  /** The image before the commit in which the power will fail. */
  #before: DiskImage | null = null;
  #isArmed = false;

  /** `root` is an empty folder for all files. */
  constructor(root: string, random: () => number) {
    this.#root = root;
    this.#random = random;
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
    this.#images ??= [readImage(this.folder)];
  }

  stopLying(): void {
    this.#images = null;
  }

  /** Lets the power fail within the next commit. */
  armCrash(): void {
    this.#isArmed = true;
  }

  /** Called before each commit. */
  beginCommit(): void {
    if (this.#isArmed) this.#before = readImage(this.folder);
  }

  /** Called when a commit is done and not acknowledged yet. Returns true when the power has failed within it. */
  endCommit(): boolean {
    this.#images?.push(readImage(this.folder));
    const before = this.#before;
    if (before === null) return false;
    this.#before = null;
    this.#isArmed = false;
    this.#fail(this.#images === null ? this.#tearCommit(before, readImage(this.folder)) : this.#loseCache());
    return true;
  }

  /** Lets the power fail now, between two commits. */
  crash(): void {
    this.#fail(this.#loseCache());
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
  #loseCache(): DiskImage {
    const images = this.#images ?? [readImage(this.folder)];
    const last = Math.floor(this.#random() * images.length);
    const [image, next] = images.slice(last) as [DiskImage, DiskImage?];
    return next === undefined ? image : this.#tearCommit(image, next);
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
