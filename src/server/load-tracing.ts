import type { Logger } from "pino";
import { HoldfastError, systemErrorCode } from "../core/errors.ts";
import type { Tracing } from "../core/tracing.ts";
import type { TracesMode } from "./setting-definitions.ts";

/** The tracing of the service. Empty when traces are off, so that OpenTelemetry need not be installed. */
export async function loadTracing(mode: TracesMode): Promise<{ readonly tracing?: Tracing }> {
  if (mode === "off") return {};
  try {
    const { createTracing } = await import("../metrics/tracing.ts");
    return { tracing: createTracing({ propagate: mode === "propagate" }) };
  } catch (error) {
    if (systemErrorCode(error) !== "ERR_MODULE_NOT_FOUND") throw error;
    const message =
      "HOLDFAST_TRACES needs the package @opentelemetry/api, which is not installed beside holdfast";
    throw new HoldfastError("invalid_option", message, { cause: error });
  }
}

/** Warns when traces are on and the process has no SDK of OpenTelemetry, which drops every span without an error. */
export async function warnWithoutSdk(mode: TracesMode, log: Pick<Logger, "warn">): Promise<void> {
  if (mode === "off") return;
  const { ProxyTracerProvider, trace } = await import("@opentelemetry/api");
  const provider = trace.getTracerProvider();
  // The API puts a proxy before the provider. The proxy has no tracer of a provider until one is registered.
  const isMissing =
    provider instanceof ProxyTracerProvider && provider.getDelegateTracer("holdfast") === undefined;
  if (!isMissing) return;
  const advice = "load the SDK of OpenTelemetry before the service, with --import";
  log.warn(
    `HOLDFAST_TRACES is ${mode}, and no tracer provider is registered: no span is recorded; ${advice}`,
  );
}
