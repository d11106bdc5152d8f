import { UsageError, type Command } from "./command.ts";

type Options = Parameters<Command["run"]>[0]["options"];

/** A connection that hangs would keep the process alive after its report. */
const LINGER_MS = 500;
const FAILED = 1;
const WARNED = 3;

export const doctor: Command = {
  name: "doctor",
  summary: "look at an installation, and say what is wrong and what to do",
  operands: [],
  options: {
    json: { help: "print the report as JSON" },
    strict: { help: "exit with 3 when there are warnings" },
  },
  examples: ["holdfast doctor", "holdfast doctor --json | jq '.checks[] | select(.status == \"fail\")'"],
  notes:
    "Runs beside the service or without it, with the same settings and as the same user. It changes nothing. Every check\n" +
    "ends within five seconds. Exits with 1 when a check fails.",
  async run({ options }) {
    const { runDoctor } = await import("../doctor/run-doctor.ts");
    const { formatReport } = await import("../doctor/report.ts");
    const report = await runDoctor({ write: [], rehearse: false, through: undefined, rules: undefined });
    console.log(isGiven(options, "json") ? JSON.stringify(report, null, 2) : formatReport(report));
    const code =
      report.status === "fail" ? FAILED : report.status === "warn" && isGiven(options, "strict") ? WARNED : 0;
    setTimeout(() => process.exit(code), LINGER_MS).unref();
    return code;
  },
};

function isGiven(options: Options, name: string): boolean {
  const values = options[name] ?? [];
  if (values.length > 1) throw new UsageError(`--${name} can be given once`);
  return values.length === 1;
}
