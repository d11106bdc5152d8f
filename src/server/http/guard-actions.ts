import type { Context, Hono } from "hono";
import { z } from "zod";
import type { AuthEnv } from "../../adapters/hono.ts";
import type { AuditKind } from "../../core/events.ts";
import { toPlainRequest } from "../../core/plain-http.ts";
import { readBody } from "../../issuer/endpoints/body.ts";
import { jsonResponse, oauthError } from "./respond.ts";
import { withDeadline } from "../../resilience/deadline.ts";
import { writeAuditNote } from "../audit-note.ts";
import type { Service } from "../service.ts";
import { requireAdmin } from "./require-admin.ts";

const MAX_BODY_BYTES = 4096;
const AUDIT_DEADLINE_MS = 1000;

const issuerSchema = z.string("must be a string").optional();
const distrustSchema = z.strictObject({ issuer: issuerSchema });
const breakerSchema = z.strictObject({
  state: z.enum(["open", "closed", "auto"], "must be open, closed or auto"),
  issuer: issuerSchema,
});

/** The answer to a guard action. `audited` is false when the store did not keep the audit event. */
export interface GuardActionResult {
  readonly issuer: string;
  readonly audited: boolean;
}

/** Adds the actions on the guard of this process. Each needs an access token of the service with `holdfast:admin`. */
export function addGuardActions(
  app: Hono,
  service: Service,
  onBreakerForced: (issuer: string) => void,
): void {
  const { guard } = service;
  addAction(app, service, "/guard/distrust-keys", distrustSchema, ({ issuer }) => {
    const chosen = chooseIssuer(
      guard.status().issuers.map((one) => one.issuer),
      issuer,
    );
    if (chosen instanceof Response) return chosen;
    guard.distrustKeys(chosen);
    return { issuer: chosen, kind: "keys_distrusted", detail: chosen };
  });
  addAction(app, service, "/guard/breaker", breakerSchema, ({ state, issuer }) => {
    const withAuthority = guard.status().issuers.filter(({ authority }) => authority !== null);
    const chosen = chooseIssuer(
      withAuthority.map((one) => one.issuer),
      issuer,
    );
    if (chosen instanceof Response) return chosen;
    guard.forceBreaker(state === "auto" ? null : state, chosen);
    onBreakerForced(chosen);
    return { issuer: chosen, kind: "breaker_forced", detail: `${chosen}: ${state}` };
  });
}

interface PerformedAction {
  readonly issuer: string;
  readonly kind: AuditKind;
  readonly detail: string;
}

function addAction<T>(
  app: Hono,
  service: Service,
  path: string,
  schema: z.ZodType<T>,
  perform: (body: T) => PerformedAction | Response,
): void {
  app.post(path, ...requireAdmin(service), async (c: Context<AuthEnv>) => {
    const { subject, sessionId: session } = c.var.auth;
    const action = perform(
      await readBody(service.platform, toPlainRequest(c.req.raw), schema, MAX_BODY_BYTES),
    );
    if (action instanceof Response) return action;
    const audited = await tryAudit(service, action, { subject, session });
    return jsonResponse(200, { issuer: action.issuer, audited } satisfies GuardActionResult);
  });
  app.all(path, () => refuse(405, "This method is not allowed here.", { Allow: "POST" }));
}

/** Returns the issuer that is meant. A request may leave it out when there is one candidate. */
function chooseIssuer(candidates: readonly string[], wanted: string | undefined): string | Response {
  const [only, ...others] = candidates;
  if (only === undefined) return refuse(400, "issuer: no issuer of this service has an authority");
  if (wanted === undefined && others.length === 0) return only;
  if (wanted !== undefined && candidates.includes(wanted)) return wanted;
  return refuse(400, `issuer: must be one of ${candidates.join(", ")}`);
}

/** The action is not undone when the audit event cannot be stored. It is meant for emergencies. */
async function tryAudit(
  { store, platform: { clock } }: Service,
  { kind, detail }: PerformedAction,
  actor: Parameters<typeof writeAuditNote>[3],
): Promise<boolean> {
  try {
    await withDeadline(
      clock,
      "the store",
      AUDIT_DEADLINE_MS,
      async () => await writeAuditNote(store, kind, detail, actor, clock),
    );
    return true;
  } catch {
    return false;
  }
}

function refuse(status: number, description: string, headers?: Record<string, string>): Response {
  return oauthError(status, "invalid_request", description, headers);
}
