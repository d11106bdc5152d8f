import { stat } from "node:fs/promises";
import type { Check } from "../check.ts";
import { ok, skip, warn } from "../finding.ts";

const DAY_MS = 86_400_000;
const MAX_AGE_DAYS = 2;

/** The service cannot see where back-ups lie. It sees when `holdfast backup` last succeeded on this machine. */
export const backupCheck: Check = {
  name: "backup",
  group: "store",
  async run({ files, sqlite }) {
    if (sqlite === null) return [skip("the tools of Redis make its back-ups")];
    const [marker, last] = await Promise.all([
      stat(files.marker).catch(() => null),
      stat(files.lastBackup).catch(() => null),
    ]);
    if (marker === null) return [skip("there are no data yet")];
    const now = Date.now();
    const days = (since: number) => Math.floor((now - since) / DAY_MS);
    const advice = "run holdfast backup every night, and restore one on another machine now and then";
    if (last === null) {
      const age = days(marker.mtimeMs);
      if (age < MAX_AGE_DAYS) return [ok("the data are new, and have no back-up yet")];
      return [warn(`no back-up was made on this machine, and the data are ${age} days old`, advice)];
    }
    const age = days(last.mtimeMs);
    if (age >= MAX_AGE_DAYS) return [warn(`the last back-up is ${age} days old`, advice)];
    return [ok(`the last back-up is of ${last.mtime.toISOString()}`)];
  },
};
