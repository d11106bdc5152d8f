import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { BlockList, type Socket } from "node:net";
import { protect } from "../adapters/node-http.ts";
import { systemClock, type Clock } from "../core/clock.ts";
import { oauthErrorContent } from "../core/oauth-error.ts";
import type { Guard } from "../guard/types.ts";
import { withDeadline } from "../resilience/deadline.ts";
import { findRule, type PathPolicy, type PathRule } from "./policy.ts";
import { isFromEnvoy, readForwardedRequest } from "./forwarded-request.ts";
import { isTrustedProxy } from "../adapters/http/client-address.ts";

type Authorizer = Pick<Guard, "authorize">;

export interface GatewayOptions {
  /** Without one, whoever has a valid token passes. */
  policy?: PathPolicy | undefined;
  /** Who is believed when they say which request they ask about. Default nobody. */
  trustedProxies?: BlockList;
  clock?: Clock;
}

/** Envoy gives up after 200 ms, and then its client hears 403 unless it was told otherwise. */
const ENVOY_TIMEOUT_MS = 150;

/** Whether a request is a proxy's question: `/verify` or below, any method. */
export function isVerifyRequest(req: IncomingMessage): boolean {
  return /^\/verify(?:[/?]|$)/.test(req.url ?? "");
}

/**
 * Answers a proxy's "may this request pass?": 200 with the identity, or what the bearer mapping says; 403 for what
 * no rule of the policy lets pass. It sits on node:http directly, because every request of everything behind the
 * proxy waits for it.
 */
export function createGateway(guard: Authorizer, options: GatewayOptions = {}): RequestListener {
  const { policy, trustedProxies = new BlockList(), clock = systemClock } = options;
  const hasty = withTimeout(ENVOY_TIMEOUT_MS, guard, clock);
  const route = <R extends Pick<PathRule, "requirements">>(rule: R): R & Route => ({
    ...rule,
    standard: createRuleListener(guard, rule),
    forEnvoy: createRuleListener(hasty, rule),
  });
  const routes = policy?.map(route);
  const everything = route({ requirements: {} });
  const isTrusted = oncePerSocket(
    ({ remoteAddress }) => remoteAddress !== undefined && isTrustedProxy(trustedProxies, remoteAddress),
  );
  const find = (req: IncomingMessage): Route | string => {
    if (routes === undefined) return everything;
    if (!isTrusted(req.socket)) return "The proxy is not among HOLDFAST_TRUSTED_PROXIES.";
    const asked = readForwardedRequest(req);
    if (asked.status === "unclear") return asked.reason;
    return findRule(routes, asked) ?? "No rule of the policy lets this request pass.";
  };
  return (req, res) => {
    const found = find(req);
    if (typeof found === "string") return forbid(res, found);
    return (isFromEnvoy(req) ? found.forEnvoy : found.standard)(req, res);
  };
}

/** What answers under a rule, in time for a proxy of either kind. */
interface Route {
  readonly standard: RequestListener;
  readonly forEnvoy: RequestListener;
}

function createRuleListener(
  guard: Authorizer,
  { requirements }: Pick<PathRule, "requirements">,
): RequestListener {
  if (requirements === null) return (_, res) => res.writeHead(200, identityHeaders("", "", "", "", "")).end();
  return protect(guard, requirements, ({ auth }, res) => {
    const { subject, scopes, sessionId = "", degraded, claims } = auth;
    const granted = scopes.map(encode).join(" ");
    const cause = degraded?.cause ?? "";
    res
      .writeHead(
        200,
        identityHeaders(encode(subject), granted, encode(sessionId), encode(claims.iss ?? ""), cause),
      )
      .end();
  });
}

/** All of them, always: a proxy that copies a missing header may pass on the client's own. */
function identityHeaders(
  subject: string,
  scopes: string,
  session: string,
  issuer: string,
  degraded: string,
): Readonly<Record<string, string>> {
  return {
    "X-Auth-Subject": subject,
    "X-Auth-Scopes": scopes,
    "X-Auth-Session": session,
    "X-Auth-Issuer": issuer,
    "X-Auth-Degraded": degraded,
    "Cache-Control": "no-store",
    "Content-Length": "0",
  };
}

/** Percent-encoded: nothing in a claim can end a header or start another. */
function encode(value: string): string {
  return encodeURIComponent(value.toWellFormed());
}

function forbid(res: ServerResponse, description: string): void {
  const { headers, body } = oauthErrorContent("forbidden", description);
  const text = JSON.stringify(body);
  res.writeHead(403, { ...headers, "Content-Length": Buffer.byteLength(text) }).end(text);
}

/** The same guard for somebody who does not wait: later than that it is unavailable, and what it found out is kept. */
function withTimeout(ms: number, guard: Authorizer, clock: Clock): Authorizer {
  return {
    authorize: async (token, rules = {}) =>
      await withDeadline(
        clock,
        "the decision",
        ms,
        async (signal) => await guard.authorize(token, { ...rules, signal }),
        rules.signal,
      ),
  };
}

/** Asked once for each connection: proxies keep theirs open. */
function oncePerSocket(ask: (socket: Socket) => boolean): (socket: Socket) => boolean {
  const known = new WeakMap<Socket, boolean>();
  return (socket) => {
    const before = known.get(socket);
    if (before !== undefined) return before;
    const answer = ask(socket);
    known.set(socket, answer);
    return answer;
  };
}
