import { after } from "node:test";
import { context, propagation, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import {
  InMemorySpanExporter,
  SimpleSpanProcessor,
  TracerProvider,
  type ReadableSpan,
} from "@opentelemetry/sdk-trace";

const exporter = new InMemorySpanExporter();
const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });

/** Registers the real SDK for this process, as an application does. */
export function registerSdk(): void {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(provider);
  after(async () => await provider.shutdown());
}

/** Runs `work` as a request of the application, and returns the spans that have ended since the last call. */
export async function traceRequest(work: () => Promise<unknown>): Promise<ReadableSpan[]> {
  await inRequest("request", work);
  return takeSpans();
}

/** Runs `work` within a span of the application. */
export async function inRequest(name: string, work: () => Promise<unknown>): Promise<void> {
  await trace.getTracer("application").startActiveSpan(name, async (span) => {
    await work();
    span.end();
  });
}

/** The spans that have ended since the last call. */
export function takeSpans(): ReadableSpan[] {
  const spans = exporter.getFinishedSpans();
  exporter.reset();
  return spans;
}

/** The only span of this name. */
export function spanNamed(spans: readonly ReadableSpan[], name: string): ReadableSpan {
  const [span, ...others] = spans.filter((one) => one.name === name);
  if (span === undefined || others.length > 0) {
    throw new Error(
      `${others.length + (span ? 1 : 0)} spans ${name} of ${spans.map((one) => one.name).join()}`,
    );
  }
  return span;
}
