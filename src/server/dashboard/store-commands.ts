import type { StoreState } from "../../dashboard/wire-state.ts";
import type { MetricReadings } from "./metric-readings.ts";
import { percentileMs, PercentileWindow } from "./percentile-window.ts";
import { RateWindow } from "./rate-window.ts";

const WINDOW_S = 10;

interface CommandWindows {
  readonly all: RateWindow;
  readonly failed: RateWindow;
  readonly durations: PercentileWindow;
}

/** The latest latencies of the store, by its part. A part appears with its first command. */
export class StoreCommands {
  readonly #windows = new Map<string, CommandWindows>();

  /** `at` is monotonic, in milliseconds. */
  add(metrics: MetricReadings, at: number): void {
    const name = "holdfast_store_commands_total";
    for (const command of metrics.labelValues(name, "command")) {
      const { all, failed, durations } = this.#of(command);
      all.add(metrics.sum(name, { command }), at);
      failed.add(metrics.sum(name, { command, outcome: "failed" }), at);
      durations.add(metrics.buckets("holdfast_store_command_duration_seconds", { command }));
    }
  }

  describe(): StoreState["commands"] {
    return [...this.#windows].map(([command, { all, failed, durations }]) => ({
      command,
      perS: all.recentPerS(),
      failedPerS: failed.recentPerS(),
      p50Ms: percentileMs(durations.latest(), 0.5),
      p99Ms: percentileMs(durations.latest(), 0.99),
    }));
  }

  #of(command: string): CommandWindows {
    const known = this.#windows.get(command);
    if (known !== undefined) return known;
    const made = {
      all: new RateWindow(WINDOW_S),
      failed: new RateWindow(WINDOW_S),
      durations: new PercentileWindow(WINDOW_S),
    };
    this.#windows.set(command, made);
    return made;
  }
}
