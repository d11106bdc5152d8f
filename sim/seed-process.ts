/* Simulates the seeds that the parent process sends, one after the other, and answers with their results. */
import { runSeed } from "./run-seeds.ts";
import type { SimulationOptions } from "./simulate.ts";

process.on("message", (options: SimulationOptions) => {
  void runSeed(options).then((result) => process.send?.(result));
});
