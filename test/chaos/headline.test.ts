import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { ServiceHealth } from "../../src/server/health/service-health.ts";
import {
  faultNames,
  isSiteMissing,
  startFaultSite,
  type FaultName,
  type FaultSite,
  type FaultSiteKind,
} from "../support/faults/ten-faults.ts";

/** The headline of each fault: the part that fails, and what users notice. */
const headlines: Readonly<Record<FaultName, RegExp>> = {
  "store locked":
    /^The store sqlite \S+ has been locked by another program.*: logins, refreshes and requests to revoke answer 503, tokens are still accepted$/,
  "disk full":
    /^The store sqlite \S+ (?:has had no space left on|could not write to) its disk.*: logins, refreshes and requests to revoke answer 503/,
  "Redis frozen":
    /^The store redis \S+ .*has not answered.*: logins, refreshes and requests to revoke answer 503, tokens/,
  "Redis read-only":
    /^The store redis \S+ .*has been a read-only replica.* and takes no writes: logins, refreshes and/,
  "authority hung":
    /^The authority of 127\.0\.0\.1:\d+ has not answered.*: its tokens are accepted without the authority for \d+ min more$/,
  "authority refuses us":
    /^The authority of 127\.0\.0\.1:\d+ has refused this service itself \(401\).*: its tokens are accepted without the authority for \d+ min more$/,
  "key set stale":
    /^The key set of 127\.0\.0\.1:\d+ could not be fetched.*: tokens under a new key pass only if its authority confirms them/,
  "clock stepped":
    /^The clock of this machine was set back by 1 h.*: tokens whose validity depends on which time is right answer 503$/,
  "feed cut":
    /^The store redis \S+ .*has (?:not answered|been unreachable).*: (?:tokens are accepted without new revocations for \d+ s more|tokens on routes that need fresh revocations answer 503, and on the others in \d+ s)$/,
  "login flood": /^A flood of logins has come from \d+ networks.*: \d+ of the last \d+ logins answered 429/,
};

/** A reader has a minute to name the part. */
const NAMED_WITHIN_MS = 60_000;
const WELL_WITHIN_MS = 60_000;

/** The settings of a site in which its faults have the effects above. */
const settings: Readonly<Record<FaultSiteKind, Readonly<Record<string, string>>>> = {
  SQLite: { ALLOW_DEGRADED_AUTH: "local" },
  Redis: {},
  "two processes": {},
};

async function readHeadline({ deployment }: FaultSite): Promise<ServiceHealth["headline"]> {
  const response = await fetch(`${deployment.gateway.admin}/health`);
  return ((await response.json()) as ServiceHealth).headline;
}

/** Uses the service and reads its headline until it is the wanted one. Returns the last one. */
async function readUntil(site: FaultSite, wanted: RegExp, deadlineMs: number): Promise<string> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    await site.users.askAll();
    const { text } = await readHeadline(site);
    if (wanted.test(text) || performance.now() > deadline) return text;
    await pause(200);
  }
}

void describe("law 10: the headline of a service", { concurrency: true }, () => {
  for (const kind of ["SQLite", "Redis", "two processes"] as const) {
    const options = { skip: isSiteMissing(kind) };
    void test(`law 10: one sentence names each fault of ${kind}, and ends with it`, options, async (t) => {
      const site = await startFaultSite(kind, settings[kind]);
      t.after(site.stop);
      // The store is asked for its time once a minute, so a clock that was wrong differs for a while.
      const names = faultNames(kind).toSorted(
        (a, b) => Number(a === "clock stepped") - Number(b === "clock stepped"),
      );
      for (const name of names) {
        const wanted = headlines[name];
        await site.during(name, async () => {
          assert.match(await readUntil(site, wanted, NAMED_WITHIN_MS), wanted, name);
          const { advice, since } = await readHeadline(site);
          assert.ok(advice !== null && since !== null, `${name}: there is advice`);
        });
        if (name === "clock stepped") continue;
        assert.equal(await readUntil(site, /^Everything works$/, WELL_WITHIN_MS), "Everything works", name);
      }
    });
  }
});
