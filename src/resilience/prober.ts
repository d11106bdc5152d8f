import type { Clock } from "../core/clock.ts";

export interface ProberOptions {
  readonly clock: Clock;
  /** The wait before the next probe, in milliseconds. `null` when no probe is needed. */
  readonly nextProbeInMs: () => number | null;
  /** Must never reject. */
  readonly probe: () => Promise<void>;
}

/** Runs a probe when it is due, one at a time. */
export class Prober {
  readonly #options: ProberOptions;
  #stop: () => void = () => {};
  #isProbing = false;

  constructor(options: ProberOptions) {
    this.#options = options;
  }

  /** Probes now, or waits until a probe is due. Call it whenever `nextProbeInMs` may have changed. */
  schedule(): void {
    this.#stop();
    if (this.#isProbing) return;
    const waitMs = this.#options.nextProbeInMs();
    if (waitMs === 0) void this.#run();
    else if (waitMs !== null) this.#stop = this.#options.clock.after(waitMs, () => this.schedule());
  }

  close(): void {
    this.#stop();
  }

  async #run(): Promise<void> {
    this.#isProbing = true;
    try {
      await this.#options.probe();
    } finally {
      this.#isProbing = false;
      this.schedule();
    }
  }
}
