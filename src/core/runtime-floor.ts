import { HoldfastError } from "./errors.ts";

/**
 * Refuses a runtime that is too old, before the code fails on something that it lacks. Feature tests serve every runtime,
 * because the version of Bun, Deno or a worker says nothing about Node.
 *
 * @throws {HoldfastError} `unsupported_runtime`.
 */
export function requireRuntime(): void {
  if (typeof Map.groupBy === "function" && typeof Promise.withResolvers === "function") return;
  throw new HoldfastError(
    "unsupported_runtime",
    `Holdfast needs Node 22.19 or newer, or a runtime of that age; this is ${globalThis.process?.version ?? "another one"}`,
  );
}
