import type { PlainRequest, PlainResponse } from "../../core/plain-http.ts";
import type { IssuerContext } from "../context.ts";
import { endKnownSession } from "../sessions/sessions-api.ts";
import { endSubject, listLiveSessions } from "../sessions/sessions.ts";
import { ADMIN_SCOPE } from "../users/administrators.ts";
import { hasNoNul } from "../users/credentials.ts";
import { getUser } from "../users/users.ts";
import { badRequest } from "./body.ts";
import { requireScope } from "./client-auth.ts";
import type { EndpointCall } from "./endpoint.ts";
import { asException, emptyResponse, oauthError } from "./respond.ts";
import { readSessionPage, sessionPageResponse } from "./session-page.ts";

/* Administration of the sessions of every user, for an access token with the scope `holdfast:admin`. */

const MAX_SUBJECT_CHARS = 1024;

export async function listAnySessionsEndpoint(
  ctx: IssuerContext,
  call: EndpointCall,
): Promise<PlainResponse> {
  await requireScope(ctx, call.request, ADMIN_SCOPE);
  const page = readSessionPage(call.request);
  const { sessions, ...rest } = await listLiveSessions(ctx, await readSubject(ctx, call.request), page);
  return sessionPageResponse(
    sessions.map((session) => ({ session })),
    rest,
  );
}

export async function endAnySessionsEndpoint(
  ctx: IssuerContext,
  { request, requestInfo }: EndpointCall,
): Promise<PlainResponse> {
  const actor = await requireScope(ctx, request, ADMIN_SCOPE);
  const subject = await readSubject(ctx, request);
  await endSubject(ctx, subject, "revoked", { actor, source: requestInfo.source });
  return emptyResponse(204);
}

export async function endAnySessionEndpoint(
  ctx: IssuerContext,
  { request, requestInfo, params: { id = "" } }: EndpointCall,
): Promise<PlainResponse> {
  const actor = await requireScope(ctx, request, ADMIN_SCOPE);
  const outcome = await endKnownSession(ctx, id, { actor, source: requestInfo.source });
  if (outcome === "ended") return emptyResponse(204);
  return oauthError(404, "not_found", "There is no such session.");
}

/** The subject that the request names, by itself or by the name of a user of the store. */
async function readSubject(ctx: IssuerContext, { url }: PlainRequest): Promise<string> {
  const query = new URL(url).searchParams;
  const [subject, username] = [query.get("subject") ?? "", query.get("username") ?? ""];
  if ((subject === "") === (username === "")) throw badRequest(400, "Name either subject or username.");
  if (username === "") {
    if (subject.length <= MAX_SUBJECT_CHARS && hasNoNul(subject)) return subject;
    throw badRequest(400, `subject: must have at most ${MAX_SUBJECT_CHARS} characters without NUL`);
  }
  const user = await getUser(ctx, username);
  if (user === null) throw asException(oauthError(404, "not_found", "There is no user of this name."));
  return user.subject;
}
