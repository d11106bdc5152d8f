import { statSync } from "node:fs";
import { metricFamily, type MetricFamily, type MetricSource } from "../core/metrics.ts";

/** The metric of the last back-up. `at` is epoch milliseconds, and `null` without one. */
export function backupMetrics(at: number | null): readonly MetricFamily[] {
  const samples = at === null ? [] : [{ labels: {}, value: at / 1_000 }];
  const help = "When `holdfast backup` last succeeded on this machine.";
  return [metricFamily("gauge", "holdfast_backup_last_success_timestamp_seconds", help, samples)];
}

/** Reads the time of the last back-up from the file that `holdfast backup` leaves behind. */
export function backupMetricSource(file: string): MetricSource {
  return { metrics: () => backupMetrics(statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? null) };
}
