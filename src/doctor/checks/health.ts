import { z } from "zod";
import type { FoundProcess } from "../../server/maintenance/process-client.ts";
import type { ComponentHealth, HealthStatus } from "../../server/health/service-health.ts";
import { askAdmin } from "../ask-admin.ts";
import type { Check } from "../check.ts";
import type { DoctorContext } from "../context.ts";
import { fail, ok, skip, warn, type Finding } from "../finding.ts";

/** The part of `GET /health` that is judged. A process of another version may have further components. */
interface Health {
  readonly outcomes: Readonly<Record<string, { status: HealthStatus; because: readonly string[] }>>;
  readonly components: Readonly<
    Record<string, Pick<ComponentHealth, "status" | "reason" | "detail" | "effect" | "outcomes">>
  >;
}

const statusSchema = z.enum(["ok", "degraded", "unavailable"]);
const affectedSchema = z.partialRecord(
  z.enum(["login", "refresh", "ownTokens", "providerTokens"]),
  z.enum(["degraded", "unavailable"]),
);
const healthSchema = z.object({
  outcomes: z.record(z.string(), z.object({ status: statusSchema, because: z.array(z.string()) })),
  components: z.record(
    z.string(),
    z.object({
      status: statusSchema,
      reason: z.string().nullable(),
      detail: z.string(),
      effect: z.string().nullable(),
      outcomes: affectedSchema,
    }),
  ),
});

/** Asks the running processes. Some faults are inside a process and cannot be seen from another one. */
export const healthCheck: Check = {
  name: "health",
  group: "service",
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
  const response = await askAdmin(context, one, "/health").catch(() => null);
  if (response === null) return [hangs];
  if (response.status === 401) {
    return [skip(`${place} asks for the token of the admin listener: run the command with its settings`)];
  }
  const parsed = healthSchema.safeParse(response.json);
  if (!parsed.success) {
    return [warn(`${place} answers ${response.status} in another form`, "use the command of its version")];
  }
  const problems = judgeHealth(parsed.data);
  return problems.length > 0 ? problems : [ok(`${place} is well`)];
}

const advices: Readonly<Record<string, string>> = {
  store: "repair the store, and the service goes on; docs/run/operations.md lists the reasons",
  keys: "repair the key store of the service: see the line of the store",
  revocations: "repair the connection to the store, which has the revocation log",
  guard: "restart the process; if it answers a forgery again, take it out of use",
  clock: "repair the time service (NTP) of this machine and of the store",
  provider: "see the lines of the provider's keys and authority",
};

/** Finds the components that are not well. One that no user notices is a warning. */
export function judgeHealth({ outcomes, components }: Health): Finding[] {
  const findings = Object.entries(components).flatMap(
    ([name, { status, reason, detail, effect, outcomes: of }]) => {
      if (status === "ok") return [];
      const text = `${name}: ${reason === null ? "" : `${reason}, `}${detail}${effect === null ? "" : `. ${effect}`}`;
      const advice = advices[name] ?? "see docs/run/operations.md";
      return [Object.keys(of).length > 0 ? fail(text, advice) : warn(text, advice)];
    },
  );
  for (const [name, { status, because }] of Object.entries(outcomes)) {
    if (status === "ok" || !because.includes("answers")) continue;
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
