import type { World, WorldOptions } from "../world.ts";

/** `null` when the client did right, a sentence with what the user saw, or the reason why the question does not arise. */
export type Finding = null | string | { readonly notApplicable: string };

export interface Scenario {
  readonly id: string;
  /** What happens. */
  readonly title: string;
  /** What must be. */
  readonly expects: string;
  readonly options?: WorldOptions;
  run(world: World): Promise<Finding>;
}
