import { stat, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";

/** The numbers of the process and of the disk below its store. */
export interface ProcessReadings {
  readonly rssBytes: number;
  readonly heapBytes: number;
  /** 1 is one core. `null` at the first reading. */
  readonly cpuShare: number | null;
  /** How late timers ran since the last reading. `null` without a measurement. */
  readonly loopDelayP99Ms: number | null;
  /** `null` when the store is not a file of this machine, or before the first look. */
  readonly storeBytes: number | null;
  readonly diskFreeBytes: number | null;
}

/** The event loop is looked at this often. More often would cost more than it tells. */
const LOOP_RESOLUTION_MS = 50;

/** Reads this process once a second. */
export class ProcessReader {
  readonly #storeFile: string | null;
  readonly #loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  #cpu: NodeJS.CpuUsage | null = null;
  #storeBytes: number | null = null;
  #diskFreeBytes: number | null = null;

  /** `storeFile` is the file of the embedded store, and `null` with another store. */
  constructor(storeFile: string | null) {
    this.#storeFile = storeFile;
    this.#loop.enable();
  }

  /** `elapsedMs` is the time since the reading before. */
  read(elapsedMs: number): ProcessReadings {
    const { rss, heapUsed } = process.memoryUsage();
    const before = this.#cpu;
    this.#cpu = process.cpuUsage();
    const usedMs =
      before === null ? null : (this.#cpu.user + this.#cpu.system - before.user - before.system) / 1_000;
    const delay = this.#loop.count === 0 ? null : this.#loop.percentile(99) / 1e6 - LOOP_RESOLUTION_MS;
    this.#loop.reset();
    return {
      rssBytes: rss,
      heapBytes: heapUsed,
      cpuShare: usedMs === null || !(elapsedMs > 0) ? null : usedMs / elapsedMs,
      loopDelayP99Ms: delay === null ? null : Math.max(0, delay),
      storeBytes: this.#storeBytes,
      diskFreeBytes: this.#diskFreeBytes,
    };
  }

  /** Looks at the disk. Never rejects: a disk that cannot be read has no numbers. */
  async readDisk(): Promise<void> {
    const file = this.#storeFile;
    if (file === null) return;
    const sizes = [file, `${file}-wal`].map(async (one) => (await stat(one).catch(() => null))?.size ?? 0);
    this.#storeBytes = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
    const disk = await statfs(dirname(file)).catch(() => null);
    this.#diskFreeBytes = disk === null ? null : disk.bavail * disk.bsize;
  }

  close(): void {
    this.#loop.disable();
  }
}
