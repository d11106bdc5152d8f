import type { IncomingMessage, ServerResponse } from "node:http";
import { invalidOption, onlyKnown, requireMethods } from "../core/options.ts";
import type { Decision, JwtClaims, Verdict } from "../core/verdict.ts";
import type { Guard, Rules } from "../guard/types.ts";
import { bearerAnswer, readBearer } from "./bearer.ts";

/** A request whose token was accepted; the verdict is on `auth`. */
export type AuthenticatedRequest<C = JwtClaims> = IncomingMessage & {
  readonly auth: Extract<Verdict<C>, { status: "valid" }>;
};

/**
 * Lets a request through to `handler` when its bearer token is valid under `rules`; answers 400, 401, 403 or
 * 503 otherwise. `X-Auth-Degraded` is set when that was decided without the authority.
 *
 *     createServer(protect(guard, { scopes: ["orders:read"] }, (req, res) => res.end(req.auth.subject)));
 */
export function protect<C = JwtClaims>(
  guard: Pick<Guard<C>, "authorize">,
  rules: Rules,
  handler: (req: AuthenticatedRequest<C>, res: ServerResponse) => unknown,
): (req: IncomingMessage, res: ServerResponse) => void {
  requireMethods("protect", "guard", guard, ["authorize"]);
  onlyKnown("protect: rules", rules, ["scopes", "maxRevocationAgeMs", "degraded"]);
  const { scopes } = rules;
  if (scopes !== undefined && !Array.isArray(scopes)) {
    throw invalidOption("protect: scopes", "an array of strings", scopes);
  }
  const pass = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const presented = readBearer(authorizations(req));
    const outcome = presented.status === "token" ? await ask(guard, presented.token, rules, res) : presented;
    const { status, headers, body } = bearerAnswer(outcome, rules.scopes);
    if (outcome.status === "valid") {
      for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
      await handler(Object.assign(req, { auth: outcome }), res);
      return;
    }
    const text = JSON.stringify(body);
    res.writeHead(status, { ...headers, "Content-Length": Buffer.byteLength(text) }).end(text);
  };
  // What the handler throws stays as loud as under node:http itself: it is not ours to answer.
  return (req, res) => void pass(req, res);
}

/** A guard that fails has not found out anything: unavailable (and a caller who has gone reads no answer). */
async function ask<C>(
  guard: Pick<Guard<C>, "authorize">,
  token: string,
  rules: Rules,
  res: ServerResponse,
): Promise<Decision<C>> {
  const gone = new AbortController();
  const abort = () => gone.abort();
  res.once("close", abort);
  try {
    return await guard.authorize(token, { ...rules, signal: gone.signal });
  } catch {
    return { status: "unavailable", cause: "closed", retryAfterMs: 1000 };
  } finally {
    res.off("close", abort);
  }
}

/** Every one: `headers.authorization` would silently keep the first of two, `headersDistinct` costs 2 µs. */
function authorizations({ rawHeaders }: IncomingMessage): string[] {
  return rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === "authorization");
}
