import fc from "fast-check";
import type { History } from "./commands.ts";
import { World, type WorldOptions } from "./world.ts";

/** Lives through one history; throws the `Violation` that it meets. */
export async function live(options: WorldOptions, history: History): Promise<void> {
  const world = new World(options);
  try {
    await world.begin();
    await fc.scheduledModelRun(options.scheduler, () => ({ model: world.model, real: world }), history);
    await world.finish();
  } finally {
    await world.close();
  }
}
