import { bearerResponse, retryAfterSeconds, type RefusalResponse } from "../adapters/http/bearer-response.ts";
import type { Refusal } from "../connections/index.ts";
import type { ChallengeParameters } from "../core/bearer.ts";
import { oauthErrorContent } from "../core/oauth-error.ts";
import { extractRequestToken, type RequestView, type TokenPlaces } from "../core/request-token.ts";
import { unavailableVerdict } from "../core/verdict.ts";
import type { Admission } from "../guard/types.ts";
import { toAuthInfo, type McpAuthInfo } from "./auth-info.ts";
import type { TextAnswer } from "./metadata.ts";
import { sessionOwner } from "./session-binding.ts";
import type { McpSettings } from "./settings.ts";

/** The header that names an MCP session. */
export const SESSION_HEADER = "mcp-session-id";

/** MCP forbids tokens in the URL and defines no cookie. */
const places: TokenPlaces = { header: "authorization", scheme: "Bearer", cookie: null };

/** A request that passed. */
export interface PassedRequest<C> {
  readonly admission: Admission<C>;
  readonly authInfo: McpAuthInfo<C>;
  /** Whose session it is. */
  readonly owner: string;
  /** The session id of the server. `null` when the request has no session. */
  readonly sessionId: string | null;
  /** Headers for the response. */
  readonly headers: Readonly<Record<string, string>>;
}

/** The request passed, or it is refused with `response`. */
export type McpOutcome<C> =
  | { readonly passed: PassedRequest<C>; readonly response: null }
  | { readonly passed: null; readonly response: TextAnswer };

/** Decides on one request. Never rejects. */
export async function decideMcpRequest<C>(
  { connections, rules, metadataUrl, resource, binding }: McpSettings<C>,
  request: RequestView,
  signal: AbortSignal,
): Promise<McpOutcome<C>> {
  const challenge: ChallengeParameters = {
    realm: "mcp",
    scopes: rules.scopes,
    resourceMetadata: metadataUrl.href,
  };
  const respond = (refusal: Parameters<typeof bearerResponse>[0]): McpOutcome<C> =>
    refuse(bearerResponse(refusal, rules.scopes, challenge) as RefusalResponse);
  const presented = extractRequestToken(request, places);
  if (presented.status !== "token") return respond(presented);
  const outcome = await connections
    .admit(presented.token, { ...rules, signal })
    // Connections that fail have decided nothing.
    .catch((): Refusal<C> => unavailableVerdict("closed"));
  if (outcome.status === "limited") return refuseLimited(outcome.retryAfterMs);
  if (outcome.status !== "admitted") return respond(outcome);
  const verdict = outcome.current();
  if (verdict.status !== "valid") return respond(verdict);
  const owner = sessionOwner(presented.token, verdict);
  const bound = request.lines(SESSION_HEADER);
  const sessionId = bound.length === 0 ? null : binding.unbind(bound.join(), owner);
  if (bound.length > 0 && sessionId === null) return refuseSession();
  const authInfo = toAuthInfo(presented.token, verdict, resource);
  const { headers } = bearerResponse(verdict);
  return { passed: { admission: outcome, authInfo, owner, sessionId, headers }, response: null };
}

function refuse({ status, headers, body }: Omit<TextAnswer, "body"> & { readonly body: object }): {
  readonly passed: null;
  readonly response: TextAnswer;
} {
  return { passed: null, response: { status, headers, body: JSON.stringify(body) } };
}

function refuseLimited(retryAfterMs: number): McpOutcome<never> {
  const headers = { "Retry-After": retryAfterSeconds(retryAfterMs) };
  return refuse({ status: 429, ...oauthErrorContent("too_many", "There are too many streams.", headers) });
}

/** A client starts a new session after this answer. It does not tell whether another user has the session. */
function refuseSession(): McpOutcome<never> {
  const { headers } = oauthErrorContent("", "");
  const error = { code: -32_001, message: "Session not found" };
  return refuse({ status: 404, headers, body: { jsonrpc: "2.0", error, id: null } });
}
