import { memoryStore } from "../../src/stores/memory.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import { simulateRefreshes } from "../simulation/simulate-refreshes.ts";
import { check, perSecond, type Figures, type SoakContext } from "./context.ts";

/** Faults 44 and 63 on the fake clock, with the memory store: weeks of sleeps and lost answers in minutes. */
export async function runSimulation(
  options: Pick<SoakContext, "random" | "progress"> & { readonly refreshes: number },
): Promise<Figures> {
  const clock = new FakeClock();
  const store = memoryStore({ clock });
  const since = performance.now();
  const figures = await simulateRefreshes({ ...options, store, clock, clients: 60 });
  await store.close();
  check("no client is logged out", figures.forcedLogins === 0);
  check("no honest client causes an alarm", figures.falseAlarms === 0);
  check("no client is stuck in a conflict", figures.stuck === 0);
  check("every replay is found", figures.replaysFound === figures.replays && figures.replays > 0);
  return { ...figures, rate: `${perSecond(figures.refreshes, since)}/s` };
}
