import type { World } from "../../src/testing/simulation/index.ts";
import type { Deployment } from "../deployment.ts";
import type { Plan } from "../plan.ts";
import type { SimulatedDatabase } from "../stores/simulated-database.ts";

/** The time in which the services of the other version start. */
const RESTART_MS = 2_000;

/** Lets the version before write the store at each upgrade of the plan. */
export function scheduleUpgrades(
  { upgrades }: Plan,
  {
    world,
    deployment,
    database,
  }: {
    readonly world: World;
    readonly deployment: Deployment;
    readonly database: SimulatedDatabase;
  },
): void {
  for (const upgrade of upgrades) {
    world.after(upgrade.at, () => {
      if (database.writeOlderRecords === undefined) return;
      world.record("upgrade", { ...upgrade });
      const stopped = upgrade.share === 1 ? deployment.services.filter(({ isAlive }) => isAlive) : [];
      for (const service of stopped) service.crash();
      database.writeOlderRecords(upgrade);
      world.after(RESTART_MS, () => {
        for (const service of stopped) service.start();
      });
    });
  }
}
