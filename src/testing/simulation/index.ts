export { findDivergence, type Divergence } from "./find-divergence.ts";
export type { HistoryEntry } from "./history.ts";
export type { NetworkConditions } from "./network-conditions.ts";
export type { RequestHandler, SimulatedFetch, SimulatedNetwork } from "./network.ts";
export type { CrashOptions, ProcessContext, Program, SimulatedProcess } from "./process.ts";
export type { Machine } from "./scheduler.ts";
export { World, type WorldOptions } from "./world.ts";
