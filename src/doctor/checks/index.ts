import type { Check } from "../check.ts";
import { authorityCheck } from "./authority.ts";
import { clockCheck } from "./clock.ts";
import { healthCheck } from "./health.ts";
import { keysCheck } from "./keys.ts";
import { listenersCheck } from "./listeners.ts";
import { metadataCheck } from "./metadata.ts";
import { networkCheck } from "./network.ts";
import { proxyCheck } from "./proxy.ts";
import { runtimeCheck } from "./runtime.ts";
import { secretCheck } from "./secret.ts";
import { settingsCheck } from "./settings.ts";
import { sqliteCheck } from "./sqlite.ts";

/** Every check, in the order of the report. The causes come before their effects. */
export const checks: readonly Check[] = [
  settingsCheck,
  listenersCheck,
  secretCheck,
  runtimeCheck,
  clockCheck,
  sqliteCheck,
  networkCheck,
  proxyCheck,
  metadataCheck,
  keysCheck,
  authorityCheck,
  healthCheck,
];
