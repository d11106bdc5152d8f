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
