import type { Decision } from "../../core/verdict.ts";

/** What a request presented. `malformed` is the request's fault: 400, RFC 6750 §3.1. */
export type PresentedToken =
  | { readonly status: "token"; readonly token: string }
  | { readonly status: "none" }
  | { readonly status: "malformed" };

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
  readonly body: { readonly error: string; readonly error_description: string };
}

/** Tells that the request was let in without the authority, and why (law 10). */
export const degradedHeader = "X-Auth-Degraded";

// RFC 6750 §2.1: b64token; the scheme is case-insensitive (RFC 9110 §11.1).
const bearerCredentials = /^bearer +([\w\-.~+/]+=*)$/i;

// RFC 9110 §5.3: a proxy or a runtime may have joined two headers into one. In Bearer itself there is no comma.
const joinedBearer = /, *bearer(?: |$)/i;

/** Reads every `Authorization` header of a request. Two of them are malformed: which one counts is not ours to guess. */
export function readBearer(authorization: readonly string[] | undefined): PresentedToken {
  if (authorization === undefined || authorization.length === 0) return { status: "none" };
  const [value = ""] = authorization;
  if (authorization.length > 1) return { status: "malformed" };
  if (!/^bearer(?: |$)/i.test(value)) return { status: joinedBearer.test(value) ? "malformed" : "none" };
  const token = bearerCredentials.exec(value)?.[1];
  return token === undefined ? { status: "malformed" } : { status: "token", token };
}

const challenge = 'Bearer realm="api"';

function createRefusal(
  status: RefusalResponse["status"],
  error: string,
  error_description: string,
  header = {},
): RefusalResponse {
  const headers = { "Content-Type": "application/json", "Cache-Control": "no-store", ...header };
  return { status, headers, body: { error, error_description } };
}

/**
 * The one mapping from what was presented and decided to HTTP. `scopes` are those the route needs. Why a token
 * is invalid is never told: the events know.
 */
export function bearerResponse(
  decision: Decision<unknown> | Exclude<PresentedToken, { status: "token" }>,
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
    case "none": // RFC 6750 §3.1: no error code when no credentials were sent.
      return createRefusal(401, "unauthorized", "A bearer token is needed.", {
        "WWW-Authenticate": challenge,
      });
    case "malformed": {
      const header = { "WWW-Authenticate": `${challenge}, error="invalid_request"` };
      return createRefusal(400, "invalid_request", "Send exactly one well-formed bearer token.", header);
    }
    case "invalid": {
      const header = { "WWW-Authenticate": `${challenge}, error="invalid_token"` };
      return createRefusal(401, "invalid_token", "The token is not valid.", header);
    }
    case "forbidden": {
      // Only what RFC 6749 §3.3 allows in a scope may stand in the header.
      const needed = scopes.join(" ").replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, "");
      const header = `${challenge}, error="insufficient_scope", scope="${needed}"`;
      return createRefusal(403, "insufficient_scope", "The token lacks a scope.", {
        "WWW-Authenticate": header,
      });
    }
    case "unavailable":
      break;
  }
  const seconds = String(Math.max(1, Math.ceil(decision.retryAfterMs / 1000) || 1)); // Somebody's own guard may not say.
  const why = "The token could not be checked; try again later.";
  return createRefusal(503, "temporarily_unavailable", why, { "Retry-After": seconds });
}
