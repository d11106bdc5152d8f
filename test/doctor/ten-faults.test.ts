import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { describe, test } from "node:test";
import type { DoctorReport } from "../../src/doctor/run-doctor.ts";
import type { ServiceHealth } from "../../src/server/health/service-health.ts";
import { waitUntil } from "../support/deadline.ts";
import {
  faultNames,
  isSiteMissing,
  startFaultSite,
  type FaultName,
  type FaultSite,
  type FaultSiteKind,
} from "../support/faults/ten-faults.ts";
import { cli } from "../support/cli.ts";

/** The check and the text of the first failure during each fault. */
const expected: Readonly<Record<FaultName, readonly [check: string, detail: RegExp]>> = {
  "store locked": ["sqlite", /holdfast\.db is locked: the process \d+ has been in a transaction/],
  // Without root, only the process has a full disk, and only it can tell.
  "disk full":
    process.getuid?.() === 0 ? ["sqlite", /the disk of .+ is full/] : ["health", /store: SQLITE_FULL/],
  "Redis frozen": ["redis", /cannot be used: no connection within/],
  "Redis read-only": ["redis", /is a read-only replica of .+READONLY/],
  "authority hung": ["authority", /the authority of .+ does not answer: .+ took longer than/],
  "authority refuses us": ["authority", /the authority of .+ refuses the requests of this service: .*401/],
  "key set stale": ["keys", /no usable key set: .*503/],
  "clock stepped": ["clock", /the clock of this machine is \d{4} s behind/],
  "feed cut": ["redis", /cannot be used: .+ this gateway reads no revocation/],
  "login flood": ["health", /login: A flood of logins/],
};

/** Runs the command beside a process of the site, with its settings and its clock. */
async function doctor(env: NodeJS.ProcessEnv): Promise<DoctorReport> {
  const child = spawn(process.execPath, ["--no-warnings", cli, "doctor", "--json"], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [out] = await Promise.all([text(child.stdout), once(child, "close")]);
  return JSON.parse(out) as DoctorReport;
}

async function isWell({ deployment, users }: FaultSite): Promise<boolean> {
  await users.askAll();
  const services = [deployment.issuer, deployment.gateway];
  const healths = services.map(
    async ({ admin }) => (await (await fetch(`${admin}/health`)).json()) as ServiceHealth,
  );
  return (await Promise.all(healths)).every(({ status }) => status === "ok");
}

function firstFailure({ checks }: DoctorReport): readonly [check: string, detail: string] {
  const [failed] = checks.filter(({ status }) => status === "fail");
  const detail = failed?.findings.find(({ status }) => status === "fail")?.detail;
  return [failed?.name ?? "none", detail ?? JSON.stringify(checks)];
}

void describe("the first failure of the doctor names each fault", { concurrency: true }, () => {
  for (const kind of ["SQLite", "Redis", "two processes"] satisfies FaultSiteKind[]) {
    void test(`the doctor beside a site of ${kind}`, { skip: isSiteMissing(kind) }, async (t) => {
      const site = await startFaultSite(kind);
      t.after(site.stop);
      for (const name of faultNames(kind)) {
        await t.test(`the doctor names ${name} first`, async () => {
          await waitUntil(async () => await isWell(site), `a site that is well before ${name}`, 60_000);
          await site.during(name, async () => {
            await waitUntil(async () => !(await isWell(site)), `a health that notices ${name}`, 60_000);
            const [check, detail] = firstFailure(await doctor(site.deployment.environments.gateway));
            assert.equal(check, expected[name][0], detail);
            assert.match(detail, expected[name][1]);
          });
        });
      }
    });
  }
});
