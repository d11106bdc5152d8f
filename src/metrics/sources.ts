import type { MetricSource } from "../core/metrics.ts";
import { invalidOption, option, readOptions, requireMethods } from "../core/options.ts";

/** The parts of an application whose metrics are registered. */
export interface MetricSources {
  readonly guards?: readonly MetricSource[];
  readonly issuers?: readonly MetricSource[];
  readonly connections?: readonly MetricSource[];
}

const partsOption = option((name, value = []): readonly MetricSource[] => {
  if (!Array.isArray(value)) throw invalidOption(name, "an array of parts", value);
  for (const part of value as unknown[])
    requireMethods("registerMetrics", "a source of metrics", part, ["metrics"]);
  return value as readonly MetricSource[];
});

const sourcesTable = { guards: partsOption, issuers: partsOption, connections: partsOption };

/** All parts in one list. Throws `invalid_option`, or `missing_method` for a part without metrics. */
export function readSources(sources: MetricSources): readonly MetricSource[] {
  const { guards, issuers, connections } = readOptions("registerMetrics", sources, sourcesTable);
  return [...guards, ...issuers, ...connections];
}
