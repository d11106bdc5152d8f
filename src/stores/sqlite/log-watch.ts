import type { RevocationEntry } from "../../core/revocation.ts";
import type { RevocationListener } from "../revocation-log.ts";

/** How often the file is examined for entries of other processes, ms. One look takes a few microseconds. */
const LOOK_EVERY_MS = 20;

/** The most entries of other processes to publish at once. A follower that lacks more reads the log. */
const MAX_ENTRIES = 1000;

/** The part of the log that the watch reads. All methods are synchronous. */
export interface WatchedLog {
  readonly dataVersion: () => unknown;
  readonly newest: () => { readonly seq: number } | null;
  /** One page of entries, beginning with number `seq`. */
  readonly from: (seq: number) => RevocationEntry[];
}

/**
 * Publishes the entries of this process at once, and those of other processes while the watch is on. Entries are
 * published in the order of the log.
 */
export class LogWatch {
  readonly #log: WatchedLog;
  readonly #publish: RevocationListener;
  #timer: NodeJS.Timeout | null = null;
  #version: unknown;
  /** The newest entry that is published, or that was there when the watch began. */
  #end = 0;

  constructor(log: WatchedLog, publish: RevocationListener) {
    this.#log = log;
    this.#publish = publish;
  }

  set(isOn: boolean): void {
    if (isOn === (this.#timer !== null)) return;
    if (this.#timer !== null) {
      clearInterval(this.#timer);
      this.#timer = null;
      return;
    }
    this.#tolerate(() => {
      this.#version = this.#log.dataVersion();
      this.#end = this.#log.newest()?.seq ?? 0;
    });
    this.#timer = setInterval(() => this.#tolerate(() => this.#look()), LOOK_EVERY_MS).unref();
  }

  /** Takes an entry that this process has made durable. */
  appended(entry: RevocationEntry): void {
    if (this.#timer === null) return this.#publish([entry]);
    if (entry.seq <= this.#end) return;
    const isNext = entry.seq === this.#end + 1;
    if (isNext || entry.seq > this.#end + MAX_ENTRIES || !this.#tolerate(() => this.#publishNew())) {
      this.#end = entry.seq;
      this.#publish([entry]);
    }
  }

  #look(): void {
    const version = this.#log.dataVersion();
    if (version === this.#version) return;
    this.#publishNew();
    this.#version = version;
  }

  #publishNew(): void {
    const entries = this.#log.from(this.#end + 1);
    this.#end = entries.at(-1)?.seq ?? this.#end;
    this.#publish(entries);
  }

  /** Returns false when the file cannot be read. The polls of a follower report that. */
  #tolerate(work: () => void): boolean {
    try {
      work();
      return true;
    } catch {
      return false;
    }
  }
}
