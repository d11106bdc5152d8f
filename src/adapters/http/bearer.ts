import { bearerChallenge, refuseBearer, type UnusableToken } from "../../core/bearer.ts";
import { oauthErrorContent, type OAuthErrorBody } from "../../core/oauth-error.ts";
import type { Decision } from "../../core/verdict.ts";

type Headers = Readonly<Record<string, string>>;

/** The application answers, with these headers besides its own. */
export interface PassResponse {
  readonly status: 200;
  readonly headers: Headers;
  readonly body: null;
}

/** The HTTP answer to a request that is not let through; `body` is JSON. */
export interface RefusalResponse {
  readonly status: 400 | 401 | 403 | 503;
  readonly headers: Headers;
  readonly body: OAuthErrorBody;
}

/** Tells that the request was let in without the authority, and why (law 10). */
export const degradedHeader = "X-Auth-Degraded";

const REALM = "api";

function createRefusal(
  status: RefusalResponse["status"],
  error: string,
  description: string,
  headers: Headers = {},
): RefusalResponse {
  return { status, ...oauthErrorContent(error, description, headers) };
}

/**
 * The one mapping from what was presented and decided to HTTP. `scopes` are those the route needs. Why a token
 * is invalid is never told: the events know.
 */
export function bearerResponse(
  decision: Decision<unknown> | UnusableToken,
  scopes: readonly string[] = [],
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
      const { status, error, description, challenge } = refuseBearer(REALM, decision.status);
      return createRefusal(status, error, description, { "WWW-Authenticate": challenge });
    }
    case "forbidden": {
      const challenge = bearerChallenge(REALM, "insufficient_scope", scopes);
      const header = { "WWW-Authenticate": challenge };
      return createRefusal(403, "insufficient_scope", "The token lacks a scope.", header);
    }
    case "unavailable":
      break;
  }
  const seconds = String(Math.max(1, Math.ceil(decision.retryAfterMs / 1000) || 1)); // Somebody's own guard may not say.
  const why = "The token could not be checked; try again later.";
  return createRefusal(503, "temporarily_unavailable", why, { "Retry-After": seconds });
}
