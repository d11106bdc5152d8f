import { UsageError, type Command } from "./command.ts";
import { readSecret } from "./secret-input.ts";

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
    return endSoon(code);
  },
};

export const doctorToken: Command = {
  name: "doctor token",
  summary: "say what a token is, why it is refused, and what to change",
  operands: [],
  options: {
    audience: { value: "AUDIENCE", help: "the audience of your API (HOLDFAST_AUDIENCE)" },
    json: { help: "print the report as JSON" },
  },
  examples: ["holdfast doctor token < token.txt", "holdfast doctor token --audience https://api.example.com"],
  notes:
    "Reads the token from standard input, and never prints it. It is compared with the configured providers, or with the\n" +
    "presets of holdfast/providers. Its key set is fetched, and a configured authority is asked. Exits with 0 only when\n" +
    "nothing is wrong with it.",
  async run({ options }) {
    const audience = readSingle(options, "audience");
    const token = await readSecret("Token", { twice: false });
    const { runTokenDoctor } = await import("../doctor/run-token.ts");
    const { formatTokenReport } = await import("../doctor/report.ts");
    const report = await runTokenDoctor(token, audience);
    console.log(isGiven(options, "json") ? JSON.stringify(report, null, 2) : formatTokenReport(report));
    return endSoon(report.status === "fail" ? FAILED : 0);
  },
};

/** Ends the process with this code although a connection hangs. */
function endSoon(code: number): number {
  setTimeout(() => process.exit(code), LINGER_MS).unref();
  return code;
}

function readSingle(options: Options, name: string): string | undefined {
  const [value, ...others] = options[name] ?? [];
  if (others.length > 0) throw new UsageError(`--${name} can be given once`);
  return value;
}

function isGiven(options: Options, name: string): boolean {
  return readSingle(options, name) !== undefined;
}
