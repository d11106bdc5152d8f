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
    write: { value: "URL", help: "take a throw-away user through a session; repeat it for each instance" },
    through: { value: "URL", help: "send forged requests to an address that your proxy guards" },
    rehearse: { help: "show what a token on standard input gets while its provider is down" },
    rules: { value: "FILE", help: "compare your alert rules with those of this version" },
  },
  examples: [
    "holdfast doctor",
    "holdfast doctor --write http://10.0.0.1:4180 --write http://10.0.0.2:4180",
    "holdfast doctor --through https://shop.example.com/orders",
    "holdfast doctor --rehearse < token.txt",
    "holdfast doctor --json | jq '.checks[] | select(.status == \"fail\")'",
  ],
  notes:
    "Runs beside the service or without it, with the same settings and as the same user. It changes nothing, but\n" +
    "for the user of --write, who is removed again. The report takes ten seconds at most. Exits with 1 when a check fails.",
  async run({ options }) {
    const through = readUrl(options, "through");
    const write = (options["write"] ?? []).map((url) => requireUrl("write", url));
    const rules = readSingle(options, "rules");
    const [isStrict, isJson] = [isGiven(options, "strict"), isGiven(options, "json")];
    const rehearse = isGiven(options, "rehearse") ? await readSecret("Token", { twice: false }) : undefined;
    const { runDoctor } = await import("../doctor/run-doctor.ts");
    const { formatReport } = await import("../doctor/report.ts");
    const report = await runDoctor({ write, rehearse: rehearse?.trim(), through, rules });
    console.log(isJson ? JSON.stringify(report, null, 2) : formatReport(report));
    const code = report.status === "fail" ? FAILED : report.status === "warn" && isStrict ? WARNED : 0;
    return endSoon(code);
  },
};

export const doctorToken: Command = {
  name: "doctor token",
  summary: "say what a token is, why it is refused, and what to change",
  operands: [],
  options: {
    audience: { value: "AUDIENCE", help: "the audience of your API (HOLDFAST_AUDIENCE)" },
    issuer: { value: "ISSUER", help: "the issuer that your guard is set to (HOLDFAST_URL of the service)" },
    json: { help: "print the report as JSON" },
  },
  examples: ["holdfast doctor token < token.txt", "holdfast doctor token --audience https://api.example.com"],
  notes:
    "Reads the token from standard input, and never prints it. It is compared with the configured providers, or with the\n" +
    "presets. The key set of its issuer is fetched, and a configured authority is asked. Exits with 1 when it\n" +
    "is refused. Warnings name what was not verified.",
  async run({ options }) {
    const audience = readSingle(options, "audience");
    const issuer = readSingle(options, "issuer");
    const token = await readSecret("Token", { twice: false });
    const { runTokenDoctor } = await import("../doctor/run-token.ts");
    const { formatTokenReport } = await import("../doctor/report.ts");
    const report = await runTokenDoctor(token, { audience, issuer });
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

function readUrl(options: Options, name: string): string | undefined {
  const value = readSingle(options, name);
  return value === undefined ? undefined : requireUrl(name, value);
}

function requireUrl(name: string, value: string): string {
  if (/^https?:$/.test(URL.parse(value)?.protocol ?? "")) return value;
  throw new UsageError(`--${name} must be an http or https URL; see holdfast doctor --help`);
}

function isGiven(options: Options, name: string): boolean {
  return readSingle(options, name) !== undefined;
}
