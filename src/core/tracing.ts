/*
 * The traces of the library. `holdfast/opentelemetry` makes a tracing of OpenTelemetry. Without one, no span is made.
 */

/** Attributes of a span. Their names are those of OpenTelemetry's conventions, or begin with `holdfast.`. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

/** Names a span for links from other spans. Its form belongs to the tracing. */
export type SpanReference = object;

export interface SpanStart {
  readonly name: string;
  /** `client` is a request to another process. */
  readonly kind: "internal" | "client";
  readonly attributes: SpanAttributes;
  /**
   * `none` for background work, which belongs to no caller. With `required` there is no span outside of another one.
   * Default: the caller's span, if there is one.
   */
  readonly parent?: "none" | "required";
}

/** A span that has begun. It ends with the work that it is for. */
export interface OpenSpan {
  /** `undefined` when nothing is recorded. */
  readonly reference: SpanReference | undefined;
  set(attributes: SpanAttributes): void;
  /** Marks the span as failed. `type` is one of few words, such as an error code. */
  fail(type: string): void;
}

/**
 * Records spans of decisions, questions, key fetches, logins, refreshes and store commands. `createTracing` of
 * `holdfast/opentelemetry` makes one.
 *
 * @example
 * ```ts
 * import { createGuard, type Tracing } from "holdfast";
 * import { createTracing } from "holdfast/opentelemetry";
 *
 * const tracing: Tracing = createTracing();
 * export const guard = createGuard({
 *   issuer: "https://id.example.com",
 *   audience: "https://api.example.com",
 *   tracing,
 * });
 * ```
 */
export interface Tracing {
  /** Runs `work` within a new span. A rejection of `work` fails the span. */
  span<T>(start: SpanStart, work: (span: OpenSpan) => Promise<T>): Promise<T>;
  /** Adds attributes to the caller's span, if there is one. */
  annotate(attributes: SpanAttributes): void;
  /** Links the caller's span to the one whose work it waits for. */
  link(reference: SpanReference): void;
  /** The id of the trace that the caller's span belongs to. `undefined` when it is not recorded. */
  traceId(): string | undefined;
  /** The headers that continue the trace in another service. Empty unless that is allowed. */
  requestHeaders(): Readonly<Record<string, string>>;
}

const noSpan: OpenSpan = { reference: undefined, set: () => {}, fail: () => {} };

/** Runs `work` within a span, if there is a tracing. */
export async function withSpan<T>(
  tracing: Tracing | undefined,
  start: () => SpanStart,
  work: (span: OpenSpan) => Promise<T>,
): Promise<T> {
  return tracing === undefined ? await work(noSpan) : await tracing.span(start(), work);
}

/** The attributes of a request to this URL, by the conventions for HTTP. A query can hold a secret, so it is left out. */
export function requestAttributes(method: string, url: string): SpanAttributes {
  const { protocol, hostname, port, origin, pathname } = new URL(url);
  return {
    "http.request.method": method,
    "url.full": origin + pathname,
    "server.address": hostname,
    "server.port": Number(port) || (protocol === "https:" ? 443 : 80),
  };
}

/** The methods of a tracing that an application passes. */
export const TRACING_METHODS = ["span", "annotate", "link", "traceId", "requestHeaders"] as const;
