import {
  context,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Context,
  type Span,
  type SpanContext,
  type Tracer,
} from "@opentelemetry/api";
import { isHoldfastError } from "../core/errors.ts";
import { flagOption } from "../core/option-values.ts";
import { option, readOptions, requireMethods, type OptionTable } from "../core/options.ts";
import type { OpenSpan, SpanAttributes, SpanReference, SpanStart, Tracing } from "../core/tracing.ts";

/** Options of `createTracing`. */
export interface TracingOptions {
  /** Default: `trace.getTracer("holdfast")` of `@opentelemetry/api`. */
  tracer?: Tracer;
  /**
   * Whether requests to authorities and key sets carry the trace in `traceparent` and `tracestate` (W3C Trace Context).
   * Other companies may run those servers. Default false.
   */
  propagate?: boolean;
}

export const tracingOptionTable: OptionTable<Required<TracingOptions>> = {
  tracer: option((name, value = trace.getTracer("holdfast")): Tracer => {
    requireMethods("createTracing", name.replace(/^.*: /, ""), value, ["startSpan"]);
    return value as Tracer;
  }),
  propagate: flagOption(false),
};

/**
 * Records the spans of guards and issuers with OpenTelemetry. It uses the global tracer provider, context manager and
 * propagator, which the SDK of the application registers before or after this call.
 *
 * Throws `invalid_option` or `missing_method`.
 *
 * @example
 * ```ts
 * import { createGuard } from "holdfast";
 * import { createTracing } from "holdfast/opentelemetry";
 *
 * export const guard = createGuard({
 *   issuer: "https://id.example.com",
 *   audience: "https://api.example.com",
 *   tracing: createTracing({ propagate: true }),
 * });
 * ```
 */
export function createTracing(options: TracingOptions = {}): Tracing {
  const { tracer, propagate } = readOptions("createTracing", options, tracingOptionTable);
  return {
    span: async (start, work) => await runInSpan(tracer, start, work),
    annotate: (attributes) => void trace.getActiveSpan()?.setAttributes(attributes),
    link: (reference) => addLink(trace.getActiveSpan(), reference as SpanContext),
    traceId: () => {
      const span = trace.getActiveSpan();
      return span?.isRecording() === true ? span.spanContext().traceId : undefined;
    },
    requestHeaders: () => (propagate ? traceHeaders() : {}),
  };
}

const kinds = { internal: SpanKind.INTERNAL, client: SpanKind.CLIENT } as const;

async function runInSpan<T>(
  tracer: Tracer,
  { name, kind, attributes, parent }: SpanStart,
  work: (span: OpenSpan) => Promise<T>,
): Promise<T> {
  const caller = context.active();
  if (parent === "required" && trace.getSpan(caller) === undefined) return await work(unrecorded);
  const around: Context = parent === "none" ? ROOT_CONTEXT : caller;
  const span = tracer.startSpan(name, { kind: kinds[kind], attributes }, around);
  try {
    return await context.with(trace.setSpan(around, span), work, undefined, openSpan(span));
  } catch (error) {
    failSpan(span, describe(error));
    throw error;
  } finally {
    span.end();
  }
}

/** Tracers that are older than version 1.9 of the API have no links for a span that has begun. */
function addLink(span: Partial<Span> | undefined, target: SpanContext): void {
  span?.addLink?.({ context: target });
}

const unrecorded: OpenSpan = { reference: undefined, set: () => {}, fail: () => {} };

function openSpan(span: Span): OpenSpan {
  const reference: SpanReference | undefined = span.isRecording() ? span.spanContext() : undefined;
  return {
    reference,
    set: (attributes: SpanAttributes) => void span.setAttributes(attributes),
    fail: (type) => failSpan(span, type),
  };
}

function failSpan(span: Span, type: string): void {
  span.setAttribute("error.type", type);
  span.setStatus({ code: SpanStatusCode.ERROR });
}

/** The message of an error is left out, because a foreign one may quote a token. */
function describe(error: unknown): string {
  if (isHoldfastError(error)) return error.code;
  return error instanceof Error ? error.name : "_OTHER";
}

/** Baggage is left out, because it may hold what another company should not read. */
function traceHeaders(): Record<string, string> {
  const carrier: Record<string, string> = {};
  propagation.inject(context.active(), carrier);
  const { traceparent, tracestate } = carrier;
  return {
    ...(traceparent !== undefined && { traceparent }),
    ...(tracestate !== undefined && { tracestate }),
  };
}
