import assert from "node:assert/strict";
import { context, metrics, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { createGuard, staticKeys } from "holdfast";
import { createTracing, registerMetrics } from "holdfast/opentelemetry";
import { finish, mint } from "./kit.js";

const spans = new InMemorySpanExporter();
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }));
const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));

const guard = createGuard({
  issuer: "https://id.example.com",
  audience: "https://api.example.com",
  keys: staticKeys(mint.jwks()),
  tracing: createTracing(),
});
registerMetrics(metrics.getMeter("holdfast"), { guards: [guard] });
const token = mint.token();
await trace.getTracer("application").startActiveSpan("request", async (span) => {
  const verdicts = await Promise.all([guard.validate(token), guard.validate(token)]);
  assert.deepEqual(
    verdicts.map(({ status }) => status),
    ["valid", "valid"],
  );
  span.end();
});
const finished = spans.getFinishedSpans().map(({ name }) => name);
assert.ok(finished.includes("holdfast.authorize"), finished.join());
await reader.forceFlush();
const names = exporter
  .getMetrics()
  .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics))
  .map(({ descriptor }) => descriptor.name);
for (const name of ["holdfast.guard.decisions", "holdfast.guard.decision.duration"]) {
  assert.ok(names.includes(name), names.join());
}
await guard.close();
await finish();
