import { systemClock, type Clock } from "../core/clock.ts";
import { isHoldfastError } from "../core/errors.ts";
import { describeError } from "../guard/emit.ts";
import { withDeadline } from "../resilience/deadline.ts";
import { reportSettings } from "../server/settings-report.ts";
import { version } from "../server/version.ts";
import type { Check } from "./check.ts";
import { checks } from "./checks/index.ts";
import { loadContext, type DoctorContext, type DoctorOptions } from "./context.ts";
import { fail, skip, shorten, worstStatus, type Finding, type FindingStatus } from "./finding.ts";

/** The result of one check. */
interface CheckReport {
  readonly name: string;
  readonly group: Check["group"];
  readonly status: FindingStatus;
  readonly findings: readonly Finding[];
}

export interface DoctorReport {
  readonly version: string;
  /** The worst status of all checks. */
  readonly status: FindingStatus;
  /** The order is that of the checks. */
  readonly checks: readonly CheckReport[];
}

const CHECK_TIMEOUT_MS = 5000;

/** Runs every check at the same time. Each ends within five seconds, also when what it asks does not answer. */
export async function runDoctor(options: DoctorOptions): Promise<DoctorReport> {
  const { settings, problems, given } = await reportSettings();
  if (settings === null) {
    const findings = problems.map((problem) =>
      fail(problem, "correct the setting; the service does not start with it"),
    );
    const others = checks.filter(({ name }) => name !== "settings");
    return toReport([
      { name: "settings", group: "configuration", status: "fail", findings },
      ...others.map((check) => toCheckReport(check, [skip("it needs settings without problems")])),
    ]);
  }
  const context = await loadContext(settings, given, options);
  const beside = checks.filter(({ runsAlone = false }) => !runsAlone);
  const reports = await Promise.all(beside.map(async (check) => await runCheck(check, context)));
  for (const check of checks) {
    if (check.runsAlone === true) reports.splice(checks.indexOf(check), 0, await runCheck(check, context));
  }
  return toReport(reports);
}

/** Runs one check. A check that throws or is late fails, and the finding says what it waited for. */
export async function runCheck(
  check: Check,
  context: DoctorContext,
  clock: Clock = systemClock,
): Promise<CheckReport> {
  const { name, limitMs = CHECK_TIMEOUT_MS, asks = "this machine" } = check;
  try {
    const run = async (signal: AbortSignal) => await check.run(context, signal);
    return toCheckReport(check, await withDeadline(clock, name, limitMs, run));
  } catch (error) {
    const isLate = isHoldfastError(error, "timeout");
    const detail = isLate ? `no answer from ${asks} within ${limitMs / 1000} s` : describeError(error);
    const advice = isLate
      ? "repair what the other lines of this report name first; then see whether this hangs, or the machine is too busy"
      : isHoldfastError(error)
        ? "run the command as the user of the service; docs/reference/errors.md explains the error"
        : "if this looks like a defect, report it";
    return toCheckReport(check, [fail(detail, advice)]);
  }
}

function toCheckReport({ name, group }: Check, findings: readonly Finding[]): CheckReport {
  const status = worstStatus(findings.map((one) => one.status));
  return { name, group, status, findings: findings.map(shorten) };
}

function toReport(reports: readonly CheckReport[]): DoctorReport {
  return { version, status: worstStatus(reports.map(({ status }) => status)), checks: reports };
}
