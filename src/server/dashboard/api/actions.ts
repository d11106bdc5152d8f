import type { Hono } from "hono";
import { z } from "zod";
import type { AuthEnv } from "../../../adapters/hono.ts";
import type { Action, ActionAnswer } from "../../../dashboard/wire-api.ts";
import { toPlainRequest } from "../../../core/plain-http.ts";
import { readBody, stringSchema } from "../../../issuer/endpoints/body.ts";
import { requireAdmin } from "../../http/require-admin.ts";
import type { Service } from "../../service.ts";
import { addPostRoute, addressOf, answer } from "./answer.ts";
import type { BreakerAction } from "./breaker-action.ts";
import { plan } from "./action-plans.ts";
import type { Actor, Plan } from "./plan.ts";

const MAX_BODY_BYTES = 4_096;
/** The bounds of a breaker that is open or closed by hand, because an operator may forget it. */
const MIN_FORCED_MS = 10_000;
const MAX_FORCED_MS = 3_600_000;

const dryRun = z.boolean("must be a boolean").optional();
const issuer = stringSchema();

const actionSchema: z.ZodType<Action & { dryRun?: boolean | undefined }> = z.discriminatedUnion("action", [
  z.strictObject({ action: z.literal("end-session"), session: stringSchema(), dryRun }),
  z.strictObject({ action: z.literal("end-subject"), subject: stringSchema(), dryRun }),
  z.strictObject({ action: z.literal("revoke-key"), kid: stringSchema(), dryRun }),
  z.strictObject({ action: z.literal("rotate-keys"), dryRun }),
  z.strictObject({
    action: z.literal("breaker"),
    issuer,
    state: z.enum(["open", "closed", "auto"], "must be open, closed or auto"),
    forMs: z
      .int("must be whole milliseconds")
      .min(MIN_FORCED_MS, `must be at least ${MIN_FORCED_MS}`)
      .max(MAX_FORCED_MS, `must be at most ${MAX_FORCED_MS}`)
      .default(MAX_FORCED_MS),
    dryRun,
  }),
  z.strictObject({ action: z.literal("refresh-keys"), issuer, dryRun }),
]) as never;

/** Adds the actions of an administrator. */
export function addActions(app: Hono, service: Service, breakers: BreakerAction): void {
  const { clock } = service.platform;
  (app as unknown as Hono<AuthEnv>).use("/api/actions", ...requireAdmin(service));
  addPostRoute(
    app,
    "/api/actions",
    answer(clock, async (c) => {
      const { dryRun: isDry = false, ...action } = await readBody(
        { clock },
        toPlainRequest(c.req.raw),
        actionSchema,
        MAX_BODY_BYTES,
      );
      const planned = await plan(service, breakers, action);
      const { subject: actor, sessionId } = (c.var as AuthEnv["Variables"]).auth;
      const by = { actor, session: sessionId, source: addressOf(c) };
      if (isDry) return { done: false, effect: planned.effect, audited: null } satisfies ActionAnswer;
      return await perform(planned, by);
    }),
  );
}

async function perform({ effect, run }: Plan, by: Actor): Promise<ActionAnswer> {
  if (run === null) return { done: false, effect, audited: null };
  const { audited, effect: real = effect } = await run(by);
  return { done: true, effect: real, audited };
}
