import type { PlantedBug } from "./planted-bug.ts";

const findings = { room: "health", file: "server/health/component-health.ts" } as const;

/** Bugs of the health of the service. */
export const healthBugs: readonly PlantedBug[] = [
  {
    ...findings,
    name: "a failure of the store takes every service out",
    from: "const isAlone = ownCodes.has(reason);",
    to: `const isAlone = reason !== "" || ownCodes.has(reason);`,
  },
  {
    ...findings,
    name: "one failed read of the log takes a service out",
    from: `if ((state !== "ready" && state !== "degraded") || ageMs > widestMs) {`,
    to: "if (state !== undefined || ageMs > widestMs) {",
  },
  {
    ...findings,
    name: "a store that fails is well",
    from: "  if (failure !== null) {\n    const { reason, message } = failure;",
    to: "  if (failure !== null && writeFailure === null) return ok(description);\n  if (failure !== null) {\n    const { reason, message } = failure;",
  },
];
