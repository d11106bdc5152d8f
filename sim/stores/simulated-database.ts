import type { PlannedUpgrade } from "../older/planned-upgrades.ts";
import type { StoreFault } from "./store-fault.ts";
import type { Store } from "../../src/stores/store.ts";
import type { ProcessContext, SimulatedProcess } from "../../src/testing/simulation/index.ts";

/** The faults of the way to the store. All members can be changed while the world runs. */
export interface StoreConditions {
  /** Each command takes up to this much longer, milliseconds. */
  stallMs: number;
  /** The share of commands that are refused before they happen. */
  refused: number;
  /** The share of commands that happen although their caller gets an error. */
  lostAnswers: number;
  /** The share of commands that never get an answer. Half of them happen. */
  silent: number;
}

/** A database of the simulated service. It survives every crash of the processes that use it. */
export interface SimulatedDatabase {
  readonly name: string;
  readonly conditions: StoreConditions;
  /** Opens the store as one life of a process sees it. */
  connect(process: SimulatedProcess, context: ProcessContext): Store | Promise<Store>;
  /** Loses all commands in flight, and refuses others until the returned function is called. */
  crash(): () => void;
  /**
   * Makes its records those of the version before. Absent when the database has no format of its own. With a share of 1 no
   * service runs.
   */
  writeOlderRecords?(upgrade: PlannedUpgrade): void;
  /** The faults of its servers. `undefined` when it has only the faults of the way to it. */
  readonly faults?: readonly StoreFault[];
  close(): Promise<void>;
}
