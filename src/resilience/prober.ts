import type { Clock } from "../core/clock.ts";

export interface ProberOptions {
  readonly clock: Clock;
  /** Until the next probe, in milliseconds; `null` when none is wanted. */
  readonly nextProbeInMs: () => number | null;
  /** Never rejects. */
  readonly probe: () => Promise<void>;
}

/** Runs the probe when it is due, one at a time. */
export class Prober {
  readonly #options: ProberOptions;
  #stop: () => void = () => {};
  #probing = false;

  constructor(options: ProberOptions) {
    this.#options = options;
  }

  /** Probes, or waits until it is due: to be called whenever that may have changed. */
  schedule(): void {
    this.#stop();
    if (this.#probing) return;
    const dueMs = this.#options.nextProbeInMs();
    if (dueMs === 0) void this.#run();
    else if (dueMs !== null) this.#stop = this.#options.clock.after(dueMs, () => this.schedule());
  }

  close(): void {
    this.#stop();
  }

  async #run(): Promise<void> {
    this.#probing = true;
    try {
      await this.#options.probe();
    } finally {
      this.#probing = false;
      this.schedule();
    }
  }
}
