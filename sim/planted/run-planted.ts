import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { plantedBugs } from "./bugs.ts";
import type { PlantedBug } from "./planted-bug.ts";

/** How a planted bug was found. */
export interface PlantedResult {
  readonly bug: PlantedBug;
  /** The seed that found it, and the check. `null` when none did. */
  readonly found: { readonly seed: number; readonly check: string } | null;
  readonly seconds: number;
}

const hooks = fileURLToPath(new URL("hooks.ts", import.meta.url));
const program = fileURLToPath(new URL("../run.ts", import.meta.url));
const RUN_LIMIT_MS = 600_000;

/** Plants each bug whose name or room contains `filter`, and simulates until a check notices it, at most `seeds` seeds. */
export function* runPlanted(
  filter: string,
  { first, seeds, minutes }: { readonly first: number; readonly seeds: number; readonly minutes: number },
): Generator<PlantedResult> {
  for (const bug of plantedBugs) {
    if (!bug.name.includes(filter) && bug.room !== filter) continue;
    const startedAt = performance.now();
    const options = [
      "--stop",
      "--seed",
      String(first),
      "--seeds",
      String(seeds),
      "--minutes",
      String(minutes),
      "--store",
      bug.store ?? "memory",
    ];
    const { stdout, stderr, status } = spawnSync(
      process.execPath,
      ["--no-warnings", "--import", hooks, program, ...options],
      { encoding: "utf8", timeout: RUN_LIMIT_MS, env: { ...process.env, SIMULATION_BUG: bug.name } },
    );
    const [, seed, check = ""] = /^seed (\d+): ([^,]+),/m.exec(stdout) ?? [];
    if (status !== 0 && seed === undefined)
      throw new Error(`${bug.name}: the simulation failed: ${stderr || stdout}`);
    const seconds = (performance.now() - startedAt) / 1_000;
    yield { bug, found: seed === undefined ? null : { seed: Number(seed), check }, seconds };
  }
}
