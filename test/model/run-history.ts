import fc from "fast-check";
import type { History } from "./commands.ts";
import { Environment, type EnvironmentOptions } from "./environment.ts";

/** Lives through one history; throws the `Violation` that it meets. */
export async function runHistory(options: EnvironmentOptions, history: History): Promise<void> {
  const world = new Environment(options);
  try {
    await world.start();
    await fc.scheduledModelRun(options.scheduler, () => ({ model: world.model, real: world }), history);
    await world.finish();
  } finally {
    await world.close();
  }
}
