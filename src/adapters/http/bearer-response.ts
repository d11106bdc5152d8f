import {
  bearerChallenge,
  refuseBearer,
  stepUpChallenge,
  type ChallengeParameters,
} from "../../core/bearer.ts";
import type { ExtractedToken } from "../../core/request-token.ts";
import { oauthErrorContent, type OAuthErrorBody } from "../../core/oauth-error.ts";
import type { Decision } from "../../core/verdict.ts";

type Headers = Readonly<Record<string, string>>;

/** The request passes. The application responds, and these headers are added to its response. */
export interface PassResponse {
  readonly status: 200;
  readonly headers: Headers;
  readonly body: null;
}

/** The HTTP response to a refused request. The body is JSON. */
export interface RefusalResponse {
  readonly status: 400 | 401 | 403 | 503;
  readonly headers: Headers;
  readonly body: OAuthErrorBody;
}

/** The response header that declares a decision without the authority. Its value is the cause (law 10). */
export const degradedHeader = "X-Auth-Degraded";

const defaultChallenge: ChallengeParameters = { realm: "api" };

function createRefusal(
  status: RefusalResponse["status"],
  error: string,
  description: string,
  headers: Headers = {},
): RefusalResponse {
  return { status, ...oauthErrorContent(error, description, headers) };
}

/**
 * Maps a decision, or a request without a usable token, to HTTP. `scopes` are those that the route requires. `parameters`
 * belong to every challenge. The response never tells why a token is invalid, except that its login is too old. The
 * decision events tell it.
 */
export function bearerResponse(
  decision: Decision<unknown> | Exclude<ExtractedToken, { status: "token" }>,
  scopes: readonly string[] = [],
  parameters: ChallengeParameters = defaultChallenge,
): PassResponse | RefusalResponse {
  switch (decision.status) {
    case "valid": {
      const { degraded } = decision;
      return {
        status: 200,
        headers: degraded === null ? {} : { [degradedHeader]: degraded.cause },
        body: null,
      };
    }
    case "none":
    case "malformed":
    case "invalid": {
      if (decision.status === "invalid" && decision.reason === "insufficient_user_authentication") {
        const header = { "WWW-Authenticate": stepUpChallenge(parameters, decision.maxAuthAgeMs) };
        return createRefusal(401, decision.reason, "The login is too old; log in again.", header);
      }
      const { status, error, description, challenge } = refuseBearer(parameters, decision.status);
      return createRefusal(status, error, description, { "WWW-Authenticate": challenge });
    }
    case "foreign":
      return createRefusal(403, "origin_not_allowed", "Cookies of this page are not accepted.");
    case "forbidden": {
      const challenge = bearerChallenge({ ...parameters, scopes }, "insufficient_scope");
      const header = { "WWW-Authenticate": challenge };
      return createRefusal(403, "insufficient_scope", "The token lacks a scope.", header);
    }
    case "unavailable":
      break;
  }
  const why = "The token could not be checked; try again later.";
  const headers = { "Retry-After": retryAfterSeconds(decision.retryAfterMs) };
  return createRefusal(503, "temporarily_unavailable", why, headers);
}

/**
 * The value of `Retry-After` (RFC 9110 §10.2.3): whole seconds, at least one. A guard that another library made may leave
 * the time out.
 */
export function retryAfterSeconds(retryAfterMs: number): string {
  return String(Math.max(1, Math.ceil(retryAfterMs / 1000) || 1));
}
