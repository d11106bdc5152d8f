import { z } from "zod";
import type { ComponentHealth, HealthStatus } from "../server/health/service-health.ts";
import type { FoundProcess } from "../server/maintenance/process-client.ts";
import { askAdmin } from "./ask-admin.ts";
import type { DoctorContext } from "./context.ts";

/** The part of `GET /health` that is judged. A process of another version may have further components. */
export interface ProcessHealth {
  /** Left out by a process of an older version. */
  readonly headline?:
    | { readonly text: string; readonly advice: string | null; readonly part: string | null }
    | undefined;
  readonly outcomes: Readonly<Record<string, { status: HealthStatus; because: readonly string[] }>>;
  readonly components: Readonly<Record<string, JudgedComponent>>;
}

type JudgedComponent = Pick<
  ComponentHealth,
  "status" | "reason" | "detail" | "effect" | "advice" | "outcomes"
>;

const statusSchema = z.enum(["ok", "degraded", "unavailable"]);
const affectedSchema = z.partialRecord(
  z.enum(["login", "refresh", "ownTokens", "providerTokens"]),
  z.enum(["degraded", "unavailable"]),
);
const healthSchema = z.object({
  headline: z
    .object({ text: z.string(), advice: z.string().nullable(), part: z.string().nullable() })
    .optional()
    .catch(undefined),
  outcomes: z.record(z.string(), z.object({ status: statusSchema, because: z.array(z.string()) })),
  components: z.record(
    z.string(),
    z.object({
      status: statusSchema,
      reason: z.string().nullable(),
      detail: z.string(),
      effect: z.string().nullable(),
      // A process of an older version gives no advice.
      advice: z.string().nullable().default(null),
      outcomes: affectedSchema,
    }),
  ),
});

/** `status` is that of the response. `health` is `null` when the response has another form. */
interface HealthResponse {
  readonly status: number;
  readonly health: ProcessHealth | null;
}

/** Asks a process for its health. `null` when the process does not answer. */
export async function askHealth(
  context: Pick<DoctorContext, "adminToken">,
  process: Pick<FoundProcess, "address">,
): Promise<HealthResponse | null> {
  const response = await askAdmin(context, process, "/health").catch(() => null);
  if (response === null) return null;
  const parsed = healthSchema.safeParse(response.json);
  return { status: response.status, health: parsed.success ? parsed.data : null };
}

/** What a component says about itself, and what users notice. */
export function describeComponent({ reason, detail, effect }: JudgedComponent): string {
  return `${reason === null ? "" : `${reason}, `}${detail}${effect === null ? "" : `. ${effect}`}`;
}
