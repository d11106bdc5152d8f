import type { ActionReport, performGuardAction } from "../server/maintenance/guard-command.ts";
import { UsageError, type Command } from "./command.ts";

type Options = Parameters<Command["run"]>[0]["options"];

const issuerOption = {
  issuer: { value: "URL", help: "the issuer that is meant, when the service trusts several" },
};

const reach =
  "The command reaches every running process of the service on this machine, and prints each. It exits with 1 when a\n" +
  "process did not do it. Services on other machines, and guards in your own APIs, are not reached.";

export const keysDistrust: Command = {
  name: "keys distrust",
  summary: "stop accepting what an issuer's keys verified, and fetch the keys again",
  operands: [],
  options: issuerOption,
  examples: ["holdfast keys distrust", "holdfast keys distrust --issuer https://id.example.com"],
  notes: `For an issuer whose signing key was stolen, after the issuer removed the key. ${reach}`,
  async run({ options }) {
    const report = await perform("/guard/distrust-keys", { issuer: readIssuer(options) });
    return print(report, (issuer) => `distrusts the keys of ${issuer}, and fetches them again`);
  },
};

const effects: Readonly<Record<string, string>> = {
  open: "does not ask the authority",
  closed: "asks the authority, whatever it answers",
  auto: "decides by the answers again whether to ask the authority",
};

export const breaker: Command = {
  name: "breaker",
  summary: "take a provider's authority out of use by hand, or put it back",
  operands: ["open|closed|auto"],
  options: issuerOption,
  examples: ["holdfast breaker open", "holdfast breaker auto"],
  notes:
    "open: the authority is not asked, and the mode of ALLOW_DEGRADED_AUTH decides. closed: it is always asked. auto: the\n" +
    `breaker decides by itself, as after a start. A restart of the service is auto, too. ${reach}`,
  async run({ operands: [state = ""], options }) {
    const effect = effects[state];
    if (effect === undefined) {
      throw new UsageError("the state must be open, closed or auto; see holdfast breaker --help");
    }
    const report = await perform("/guard/breaker", { state, issuer: readIssuer(options) });
    return print(report, (issuer) => `${effect} of ${issuer}`);
  },
};

async function perform(...action: Parameters<typeof performGuardAction>): Promise<ActionReport> {
  const guardCommand = await import("../server/maintenance/guard-command.ts");
  return await guardCommand.performGuardAction(...action);
}

function readIssuer(options: Options): string | undefined {
  const [issuer, ...others] = options["issuer"] ?? [];
  if (others.length > 0) throw new UsageError("--issuer can be given once");
  return issuer;
}

function print({ results, isShared }: ActionReport, describe: (issuer: string) => string): number {
  for (const result of results) {
    if (result.status === "failed") console.error(`holdfast: ${result.address}: ${result.reason}`);
    else {
      console.log(`${result.address}: ${describe(result.issuer)}`);
      if (!result.audited) console.error(`note: ${result.address} could not store the audit event`);
    }
  }
  if (isShared)
    console.error("note: services on other machines were not reached; run the command there, too");
  return results.every(({ status }) => status === "done") ? 0 : 1;
}
