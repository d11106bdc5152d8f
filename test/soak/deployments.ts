import { simulate, storeKinds } from "../../sim/simulate.ts";
import { check, type Figures, type SoakContext } from "./context.ts";

/** Simulated minutes of one seed. */
const MINUTES = 30;

/** Simulates deployments, one seed after the other and on each database in turn. A failed seed is replayed with `npm run simulate -- --replay SEED`. */
export async function runDeployments({
  random,
  progress,
  forMs,
}: Pick<SoakContext, "random" | "progress"> & { readonly forMs: number }): Promise<Figures> {
  const since = performance.now();
  const first = Math.floor(random() * 1_000_000);
  let [seeds, steps, simulatedMs] = [0, 0, 0];
  while (performance.now() - since < forMs) {
    const seed = first + seeds++;
    const store = storeKinds[seed % storeKinds.length] ?? "memory";
    const run = await simulate({ seed, minutes: MINUTES, store });
    const [violation] = run.violations;
    check(
      `seed ${seed} of ${MINUTES} min on ${store}: ${violation?.check} ${violation?.message}`,
      violation === undefined,
    );
    steps += run.steps;
    simulatedMs += run.simulatedMs;
    progress(`${seeds} seeds, ${(simulatedMs / 3_600_000).toFixed(1)} simulated hours`);
  }
  return { "first seed": first, seeds, steps, "simulated hours": (simulatedMs / 3_600_000).toFixed(1) };
}
