import type { KeyObject } from "node:crypto";
import type { Algorithm } from "./algorithms.ts";

/** A key, ready to verify one algorithm and no other. */
export interface VerificationKey {
  readonly kid: string | undefined;
  readonly algorithm: Algorithm;
  readonly key: KeyObject;
}
