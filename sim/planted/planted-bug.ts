import type { ForcedPart } from "../forced-parts.ts";
import type { StoreKind } from "../simulate.ts";

/** A bug that can be planted: one change of one file, which the checks must notice. */
export interface PlantedBug {
  readonly name: string;
  readonly room:
    | "rotation"
    | "issuer"
    | "stores"
    | "keys"
    | "revocations"
    | "pipeline"
    | "resilience"
    | "connections"
    | "gateway"
    | "health";
  /** Relative to `src/`. */
  readonly file: string;
  /** A text that the file contains exactly once. */
  readonly from: string;
  readonly to: string;
  /** The database in which the bug shows. Default `memory`. */
  readonly store?: StoreKind;
  /** The parts that its runs have whatever their seeds draw, because the bug shows in few others. Default none. */
  readonly forced?: readonly ForcedPart[];
}
