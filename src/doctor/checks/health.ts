import type { FoundProcess } from "../../server/maintenance/process-client.ts";
import type { Check } from "../check.ts";
import type { DoctorContext } from "../context.ts";
import { fail, ok, skip, warn, type Finding } from "../finding.ts";
import { askHealth, describeComponent, type ProcessHealth } from "../process-health.ts";

/** Asks the running processes. Some faults are inside a process and cannot be seen from another one. */
export const healthCheck: Check = {
  name: "health",
  group: "service",
  asks: "the processes of the service",
  async run(context) {
    const { processes } = context;
    if (processes.length === 0) return [skip("no process of the service runs on this machine as this user")];
    return (await Promise.all(processes.map(async (one) => await checkProcess(context, one)))).flat();
  },
};

async function checkProcess(context: DoctorContext, one: FoundProcess): Promise<Finding[]> {
  const place = `the process ${one.pid} at ${one.address}`;
  if (one.found === "stranger") {
    return [
      fail(`another program answers at ${one.address}`, `end it, or choose another HOLDFAST_ADMIN_PORT`),
    ];
  }
  const hangs = fail(`${place} does not answer`, "see whether it hangs or is stopped, and restart it");
  if (one.found !== "process") return [hangs];
  const response = await askHealth(context, one);
  if (response === null) return [hangs];
  if (response.status === 401) {
    return [skip(`${place} asks for the token of the admin listener: run the command with its settings`)];
  }
  if (response.health === null) {
    return [warn(`${place} answers ${response.status} in another form`, "use the command of its version")];
  }
  const problems = judgeHealth(response.health);
  return problems.length > 0 ? problems : [ok(`${place} is well`)];
}

/** The advice of the report, where another line of it says more than the process knows. */
const advices: Readonly<Record<string, string>> = {
  store: "repair the store, and the service goes on; docs/run/operations.md lists the reasons",
  keys: "repair the key store of the service: see the line of the store",
  revocations: "repair the connection to the store, which has the revocation log",
  guard: "restart the process; if it answers a forgery again, take it out of use",
  clock: "repair the time service (NTP) of this machine and of the store",
  provider: "see the lines of the provider's keys and authority",
};

/** The words of the headline for the answers of an outcome. */
const answerNames: Readonly<Record<string, string>> = { login: "logins", refresh: "refreshes" };

/** Finds the components that are not well. One that no user notices is a warning. */
export function judgeHealth({ headline, outcomes, components }: ProcessHealth): Finding[] {
  const findings = Object.entries(components).flatMap(([name, component]) => {
    if (component.status === "ok") return [];
    const text = `${name}: ${describeComponent(component)}`;
    const advice = advices[name] ?? component.advice ?? "see docs/run/operations.md";
    return [Object.keys(component.outcomes).length > 0 ? fail(text, advice) : warn(text, advice)];
  });
  for (const [name, { status, because }] of Object.entries(outcomes)) {
    if (status === "ok" || !because.includes("answers")) continue;
    // The process knows more about the answers that it gave, when nothing else is wrong.
    if (
      headline?.part === "answers" &&
      headline.advice !== null &&
      headline.text.includes(answerNames[name] ?? name)
    ) {
      findings.push(fail(`${name}: ${headline.text}`, headline.advice));
      continue;
    }
    const detail = `${name}: most are limited (429), or at least one in ten fails (5xx), although every component is well`;
    findings.push(
      fail(
        detail,
        "if strangers try passwords, let the proxy limit them; docs/run/login-limits.md explains it",
      ),
    );
  }
  return findings;
}
