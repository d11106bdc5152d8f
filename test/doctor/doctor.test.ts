import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { test } from "node:test";
import { groups } from "../../src/doctor/check.ts";
import { checks } from "../../src/doctor/checks/index.ts";
import { formatReport } from "../../src/doctor/report.ts";
import type { DoctorReport } from "../../src/doctor/run-doctor.ts";
import { runHoldfast } from "../cli/cli-process.ts";
import { temporaryDataDir } from "../server/temporary-settings.ts";
import { startService } from "../support/service-process.ts";

const SECRET = "hunter2-hunter2-hunter2-hunter2-hunter2";

/** The report of a child process. `NODE_OPTIONS` and proxies of the machine do not reach it. */
async function doctor(data: string, settings: Record<string, string> = {}, args: string[] = []) {
  const { code, out, err } = await runHoldfast(["doctor", "--json", ...args], { data, settings });
  return { code, out, err, report: JSON.parse(out) as DoctorReport };
}

test("doctor finds no warning on a fresh service, and runs every check", async (t) => {
  const data = await temporaryDataDir();
  const settings = { HOLDFAST_URL: "http://localhost:4180" };
  const service = await startService(data, settings);
  t.after(async () => await service.stop("SIGKILL"));
  const { code, report } = await doctor(data, settings, ["--strict"]);
  const problems = report.checks.filter(({ status }) => status === "warn" || status === "fail");
  assert.deepEqual(problems, []);
  assert.equal(code, 0);
  assert.deepEqual(
    report.checks.map(({ name }) => name),
    checks.map(({ name }) => name),
  );
  const health = report.checks.find(({ name }) => name === "health");
  assert.match(health?.findings[0]?.detail ?? "", new RegExp(`the process ${service.pid} at .+ is well`));
});

test("doctor writes nothing, before the first start and beside stopped data", async () => {
  const data = await temporaryDataDir();
  const list = async () => (await readdir(dirname(data), { recursive: true })).toSorted();
  assert.equal((await doctor(data)).code, 0);
  assert.deepEqual(await list(), []);
  const service = await startService(data);
  await service.stop();
  const before = await list();
  assert.ok(before.includes("data/holdfast.db"));
  const { code, report } = await doctor(data);
  assert.equal(code, 0, JSON.stringify(report));
  assert.deepEqual(await list(), before);
});

test("law 5: doctor names every wrong setting, skips the other checks, and prints no value", async () => {
  const settings = { HOLDFAST_PROT: SECRET, HOLDFAST_SECRET: "hunter2", HOLDFAST_PORT: "hunter2" };
  const { code, report, out, err } = await doctor("never-made", settings);
  assert.equal(code, 1);
  const [first, ...others] = report.checks;
  assert.equal(first?.name, "settings");
  for (const name of ["HOLDFAST_PROT", "HOLDFAST_SECRET", "HOLDFAST_PORT"]) {
    assert.ok(
      first?.findings.some(({ detail, status }) => status === "fail" && detail.startsWith(name)),
      name,
    );
  }
  assert.ok(others.every(({ status }) => status === "skip"));
  assert.doesNotMatch(out + err, /hunter2/);
});

test("law 5: doctor tells where a setting comes from, and prints no secret", async () => {
  const data = await temporaryDataDir();
  const settings = { HOLDFAST_SECRET: SECRET, HOLDFAST_CLIENTS: `orders:${SECRET}` };
  const { out, err } = await runHoldfast(["doctor"], { data, settings });
  assert.match(out, /ok +settings +given: .*HOLDFAST_CLIENTS.*HOLDFAST_SECRET/);
  assert.doesNotMatch(out + err, /hunter2/);
});

test("doctor exits with 3 for a warning under --strict, and with 0 otherwise", async () => {
  const data = await temporaryDataDir();
  // The secret repeats one character.
  const settings = { HOLDFAST_SECRET: "s".repeat(43) };
  assert.equal((await doctor(data, settings)).code, 0);
  const { code, report } = await doctor(data, settings, ["--strict"]);
  assert.equal(code, 3);
  assert.equal(report.status, "warn");
});

test("the printed report shows no control character of another server, and gives advice under each problem", () => {
  const finding = { status: "fail", detail: "it \u001B[2J said\nno", advice: "look" } as const;
  const report: DoctorReport = {
    version: "1.0.0",
    status: "fail",
    checks: [{ name: "keys", group: "providers", status: "fail", findings: [finding] }],
  };
  assert.equal(
    formatReport(report),
    [
      "holdfast 1.0.0",
      "",
      "providers",
      "  fail  keys         it  [2J said no",
      "                     → look",
      "",
      "1 fail, 0 warn, 0 ok, 0 skip",
    ].join("\n"),
  );
});

test("docs/run/doctor.md has a row for every check, in the order of the report", async () => {
  const page = await readFile(new URL("../../docs/run/doctor.md", import.meta.url), "utf8");
  const rows = [...page.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, name]) => name);
  const names = checks.map(({ name }) => name);
  assert.deepEqual(rows, names);
  const printed = groups.flatMap((group) => checks.filter((check) => check.group === group));
  assert.deepEqual(
    printed.map(({ name }) => name),
    names,
  );
});
