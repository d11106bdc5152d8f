import fc from "fast-check";
import type { History } from "./commands.ts";
import { Environment, type EnvironmentOptions } from "./environment.ts";

/** Runs one history. Throws a `Violation` when an invariant does not hold. */
export async function runHistory(options: EnvironmentOptions, history: History): Promise<void> {
  const environment = new Environment(options);
  try {
    await environment.start();
    await fc.scheduledModelRun(
      options.scheduler,
      () => ({ model: environment.model, real: environment }),
      history,
    );
    await environment.finish();
  } finally {
    await environment.close();
  }
}
