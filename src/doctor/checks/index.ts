import type { Check } from "../check.ts";
import { alertsCheck } from "./alerts.ts";
import { authorityCheck } from "./authority.ts";
import { backupCheck } from "./backup.ts";
import { browsersCheck } from "./browsers.ts";
import { clockCheck } from "./clock.ts";
import { gatewayCheck } from "./gateway.ts";
import { healthCheck } from "./health.ts";
import { keysCheck } from "./keys.ts";
import { limitsCheck } from "./limits.ts";
import { listenersCheck } from "./listeners.ts";
import { metadataCheck } from "./metadata.ts";
import { networkCheck } from "./network.ts";
import { proxyCheck } from "./proxy.ts";
import { redisCheck } from "./redis.ts";
import { rehearsalCheck } from "./rehearsal.ts";
import { roundTripCheck } from "./round-trip.ts";
import { runtimeCheck } from "./runtime.ts";
import { secretCheck } from "./secret.ts";
import { settingsCheck } from "./settings.ts";
import { snapshotsCheck } from "./snapshots.ts";
import { sqliteCheck } from "./sqlite.ts";
import { throughCheck } from "./through.ts";
import { usersCheck } from "./users.ts";

/** Every check, in the order of the report. The causes come before their effects. */
export const checks: readonly Check[] = [
  settingsCheck,
  listenersCheck,
  secretCheck,
  browsersCheck,
  gatewayCheck,
  runtimeCheck,
  limitsCheck,
  clockCheck,
  sqliteCheck,
  redisCheck,
  backupCheck,
  usersCheck,
  networkCheck,
  proxyCheck,
  metadataCheck,
  keysCheck,
  authorityCheck,
  snapshotsCheck,
  healthCheck,
  roundTripCheck,
  throughCheck,
  rehearsalCheck,
  alertsCheck,
];
