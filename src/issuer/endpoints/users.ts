import type { PlainResponse } from "../../core/plain-http.ts";
import { z } from "zod";
import { isScopeToken } from "../../core/scopes.ts";
import type { IssuerContext } from "../context.ts";
import { changeUser, removeUser } from "../users/administration.ts";
import { ADMIN_SCOPE } from "../users/administrators.ts";
import { isNewUsername, normalizeUsername } from "../users/login-name.ts";
import { isAcceptablePassword, PASSWORD_BYTES } from "../users/passwords.ts";
import { areAcceptableScopes } from "../users/user-input.ts";
import type { UserActionOptions, UserView } from "../users/user-types.ts";
import { addUser, getUser, listUsers, MAX_LISTED, toUserView } from "../users/users.ts";
import { badRequest, readBody, stringSchema } from "./body.ts";
import { requireScope } from "./client-auth.ts";
import type { EndpointCall } from "./endpoint.ts";
import { emptyResponse, jsonResponse, oauthError } from "./respond.ts";
import { readLimit } from "./session-page.ts";

/*
 * Administration of the store's users, for an access token with the scope `holdfast:admin`. The removal of the last
 * administrator cannot be forced here, because it could not be undone over HTTP.
 */

const passwordSchema = stringSchema().refine(
  isAcceptablePassword,
  `must be ${PASSWORD_BYTES.min} to ${PASSWORD_BYTES.max} bytes`,
);
/** Scopes separated by blanks, as in a token response. */
const scopeSchema = stringSchema()
  .transform((scope) => [...new Set(scope.split(" ").filter((one) => one !== ""))])
  .refine((scopes) => scopes.every(isScopeToken), "must be scopes separated by blanks")
  .refine(areAcceptableScopes, "must fit into a token");
const newUserSchema = z.strictObject({
  username: stringSchema(),
  password: passwordSchema,
  scope: scopeSchema.optional(),
});
const changeSchema = z.strictObject({
  password: passwordSchema.optional(),
  scope: scopeSchema.optional(),
  disabled: z.boolean("must be true or false").optional(),
});

export async function listUsersEndpoint(
  ctx: IssuerContext,
  { request }: EndpointCall,
): Promise<PlainResponse> {
  await requireScope(ctx, request, ADMIN_SCOPE);
  const query = new URL(request.url).searchParams;
  const limit = readLimit(query, MAX_LISTED);
  const users = await listUsers(ctx, { after: query.get("after") ?? "", limit });
  const next = users.length < limit ? undefined : users.at(-1)?.username;
  return jsonResponse(200, { users: users.map(describeUser), ...(next !== undefined && { next }) });
}

export async function addUserEndpoint(ctx: IssuerContext, call: EndpointCall): Promise<PlainResponse> {
  const action = await requireAdministrator(ctx, call);
  const { username, password, scope = [] } = await readBody(ctx, call.request, newUserSchema);
  const name = normalizeUsername(ctx, username);
  if (name === null)
    throw badRequest(400, "username: must be 1 to 128 characters without control characters");
  if (!isNewUsername(name)) throw badRequest(400, "username: must be neither . nor ..");
  if ((await addUser(ctx, { username, password, scopes: scope }, action)) === "exists") {
    return oauthError(409, "user_exists", "There is a user of this name.");
  }
  const user = await getUser(ctx, username);
  return user === null ? unknownUser() : jsonResponse(201, describeUser(user));
}

export async function getUserEndpoint(
  ctx: IssuerContext,
  { request, params: { name = "" } }: EndpointCall,
): Promise<PlainResponse> {
  await requireScope(ctx, request, ADMIN_SCOPE);
  const user = await getUser(ctx, name);
  return user === null ? unknownUser() : jsonResponse(200, describeUser(user));
}

/** Changes what the body names, in one step. */
export async function changeUserEndpoint(ctx: IssuerContext, call: EndpointCall): Promise<PlainResponse> {
  const action = await requireAdministrator(ctx, call);
  const { name = "" } = call.params;
  const { scope, password, disabled } = await readBody(ctx, call.request, changeSchema);
  if (normalizeUsername(ctx, name) === null) return unknownUser();
  const change = {
    ...(scope !== undefined && { scopes: scope }),
    ...(password !== undefined && { password }),
    ...(disabled !== undefined && { disabled }),
  };
  const outcome = await changeUser(ctx, name, change, action);
  if (outcome.status === "changed") return jsonResponse(200, describeUser(toUserView(outcome.user)));
  return outcome.status === "unknown" ? unknownUser() : lastAdministrator();
}

export async function removeUserEndpoint(ctx: IssuerContext, call: EndpointCall): Promise<PlainResponse> {
  const action = await requireAdministrator(ctx, call);
  const { name = "" } = call.params;
  const outcome = normalizeUsername(ctx, name) === null ? "unknown" : await removeUser(ctx, name, action);
  if (outcome === "removed") return emptyResponse(204);
  if (outcome === "removed_sessions_unknown") return jsonResponse(200, { sessions: "unknown" });
  return outcome === "unknown" ? unknownUser() : lastAdministrator();
}

async function requireAdministrator(
  ctx: IssuerContext,
  { request, requestInfo }: EndpointCall,
): Promise<UserActionOptions> {
  return { actor: await requireScope(ctx, request, ADMIN_SCOPE), source: requestInfo.source };
}

/** Times on the wire are epoch seconds. */
function describeUser({ username, subject, scopes, createdAt, disabledAt }: UserView): object {
  const seconds = (ms: number | null) => ms && Math.floor(ms / 1000);
  return {
    username,
    subject,
    scope: scopes.join(" "),
    created_at: seconds(createdAt),
    disabled_at: seconds(disabledAt),
  };
}

function unknownUser(): PlainResponse {
  return oauthError(404, "not_found", "There is no user of this name.");
}

function lastAdministrator(): PlainResponse {
  const description = `No enabled user with the scope ${ADMIN_SCOPE} would be left.`;
  return oauthError(409, "last_administrator", description);
}
