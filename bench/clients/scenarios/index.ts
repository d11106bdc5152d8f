import { devices } from "./devices.ts";
import { outages } from "./outages.ts";
import type { Scenario } from "./scenario.ts";
import { tabs } from "./tabs.ts";

export const scenarios: readonly Scenario[] = [...outages, ...tabs, ...devices];
