import type { Hono } from "hono";
import { Registry } from "prom-client";
import { metricFamily, type MetricSource } from "../../core/metrics.ts";
import { registerMetrics } from "../../metrics/prometheus.ts";
import type { Service } from "../service.ts";
import { version } from "../version.ts";
import { addGetRoute } from "./get-route.ts";

/** Adds `/metrics`, the numbers of this process for Prometheus. `more` are the sources besides guard and issuer. */
export function addMetricsRoute(app: Hono, { guard, issuer }: Service, more: readonly MetricSource[]): void {
  const registry = new Registry();
  registerMetrics(registry, { guards: [buildInfo, guard, ...more], issuers: [issuer] });
  addGetRoute(app, "/metrics", async (c) => {
    c.header("Content-Type", registry.contentType);
    return c.body(await registry.metrics());
  });
}

const buildInfo: MetricSource = {
  metrics: () => [
    metricFamily("gauge", "holdfast_build_info", "The version of Holdfast, and of Node.", [
      { labels: { version, runtime: `node ${process.versions.node}` }, value: 1 },
    ]),
  ],
};
