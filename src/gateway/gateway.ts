import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { BlockList, type Socket } from "node:net";
import { createDecideNodeRequest, sendRefusal, setHeaders } from "../adapters/http/decide-node-request.ts";
import type { RequestOutcome } from "../adapters/http/decide-request.ts";
import { systemClock, type Clock } from "../core/clock.ts";
import { oauthErrorContent } from "../core/oauth-error.ts";
import type { CookieSettings } from "../core/request-token.ts";
import { addFromMemory, getFromMemory } from "../core/from-memory.ts";
import type { JwtClaims, ValidVerdict } from "../core/verdict.ts";
import type { Guard } from "../guard/types.ts";
import { withDeadline } from "../resilience/deadline.ts";
import { decideRule, type PathPolicy, type PathRule } from "./policy.ts";
import { indexPolicy } from "./rule-index.ts";
import { isFromEnvoy, readForwardedRequest } from "./forwarded-request.ts";
import { hasIdentityHeader } from "./identity-headers.ts";
import { isTrustedProxy } from "../adapters/http/client-address.ts";

type Authorizer = Pick<Guard, "authorize">;

export interface GatewayOptions {
  /** Every valid token passes without a policy. */
  policy?: PathPolicy | undefined;
  /** The proxies whose headers are believed under a policy. Default: none. */
  trustedProxies?: BlockList;
  /** The audience that a token must name where no rule of the policy names one. Default: any that the guard accepts. */
  audience?: string | readonly string[];
  /** The cookie that may hold the token, under a policy that names none itself. Default: none. */
  cookie?: CookieSettings | undefined;
  clock?: Clock;
  /** Called under a policy for each question, with the peer that asked and whether it is a trusted proxy. */
  onPeer?: (peer: string | undefined, isTrusted: boolean) => void;
}

/** Envoy stops waiting after 200 ms, and answers 403 unless it is configured otherwise. */
const ENVOY_TIMEOUT_MS = 150;

/** A header that repeats the challenge of an answer other than 401. */
const OTHER_CHALLENGE = "X-Holdfast-Challenge";

/** Whether the request is for the gateway: any method at `/verify` or below. */
export function isVerifyRequest(req: IncomingMessage): boolean {
  return /^\/verify(?:[/?]|$)/.test(req.url ?? "");
}

/**
 * Creates the listener that authorizes the requests of a proxy. It answers 200 with the identity headers, the answer of
 * the bearer mapping, or 403 when no rule of the policy matches. It uses node:http directly, because every request behind the proxy
 * waits for it.
 */
export function createGateway(guard: Authorizer, options: GatewayOptions = {}): RequestListener {
  const { policy, trustedProxies = new BlockList(), clock = systemClock, audience, cookie, onPeer } = options;
  const identityOf = createIdentityOf();
  const envoyGuard = withTimeout(ENVOY_TIMEOUT_MS, guard, clock);
  const route = <R extends Pick<PathRule, "requirements" | "cookie">>(rule: R): R & Route => {
    const { requirements } = rule;
    const rules = requirements && { ...(audience !== undefined && { audience }), ...requirements };
    return {
      ...rule,
      standard: createRuleListener(guard, rules, rule.cookie, identityOf),
      forEnvoy: createRuleListener(envoyGuard, rules, rule.cookie, identityOf),
    };
  };
  // Without a policy nothing tells the method of the request, which a cookie needs.
  const routes =
    policy && indexPolicy(policy.map((rule) => route(cookie === undefined ? rule : { cookie, ...rule })));
  const everything = route({ requirements: {} });
  const isTrusted = oncePerSocket(
    ({ remoteAddress }) => remoteAddress !== undefined && isTrustedProxy(trustedProxies, remoteAddress),
  );
  const find = (req: IncomingMessage): Route | string => {
    if (routes === undefined) return everything;
    const isKnown = isTrusted(req.socket);
    onPeer?.(req.socket.remoteAddress, isKnown);
    if (!isKnown) return "The proxy is not in HOLDFAST_TRUSTED_PROXIES.";
    const request = readForwardedRequest(req);
    if (request.status === "unclear") return request.reason;
    const decided = decideRule(routes, request);
    return decided === null || typeof decided === "string" ? whyRefused[decided ?? "none"] : decided;
  };
  return (req, res) => {
    // A proxy with other settings would pass the header on to the application.
    if (hasIdentityHeader(req.rawHeaders)) return refuse(res, 400, "A client must not send X-Auth headers.");
    const found = find(req);
    if (typeof found === "string") return refuse(res, 403, found);
    return (isFromEnvoy(req) ? found.forEnvoy : found.standard)(req, res);
  };
}

const whyRefused = {
  none: "No rule of the policy lets this request pass.",
  ambiguous_path: "The path can be read in more than one way.",
  ambiguous_method: "The request names another method, for which another rule decides.",
} as const;

/** The listeners of a rule. `forEnvoy` answers before Envoy stops waiting. */
interface Route {
  readonly standard: RequestListener;
  readonly forEnvoy: RequestListener;
}

function createRuleListener(
  guard: Authorizer,
  requirements: PathRule["requirements"],
  cookie: CookieSettings | undefined,
  identityOf: ReturnType<typeof createIdentityOf>,
): RequestListener {
  if (requirements === null) return (_, res) => res.writeHead(200, identityHeaders("", "", "", "", "")).end();
  const tokenFrom = cookie && { cookie: { name: cookie.name, origins: [...cookie.origins] } };
  const rules = { ...requirements, ...(tokenFrom !== undefined && { tokenFrom }) };
  const decide = createDecideNodeRequest(guard, rules, forwardedMethod);
  const answer = (res: ServerResponse, { auth, response }: RequestOutcome<JwtClaims>) => {
    if (response.status !== 200) {
      const challenge = response.headers["WWW-Authenticate"];
      // nginx passes on the challenge of a 401 itself, and loses every other one.
      if (response.status !== 401 && challenge !== undefined) res.setHeader(OTHER_CHALLENGE, challenge);
      return sendRefusal(res, response);
    }
    setHeaders(res, response);
    // The rules are not optional, so a request that passes has a verdict.
    res.writeHead(200, identityOf(auth as ValidVerdict)).end();
  };
  const answerLater = async (res: ServerResponse, outcome: Promise<RequestOutcome<JwtClaims>>) =>
    answer(res, await outcome);
  return (req, res) => {
    const outcome = decide(req, res);
    if (outcome instanceof Promise) void answerLater(res, outcome);
    else answer(res, outcome);
  };
}

type IdentityHeaders = Readonly<Record<string, string>>;

/** Returns the identity headers of a verdict, and remembers them while the guard remembers the token. */
function createIdentityOf(): (verdict: ValidVerdict) => IdentityHeaders {
  // Every verdict on a remembered token has the same frozen claims. Another answer about the token may change its scopes.
  const remembered = new WeakMap<object, { scopes: readonly string[]; headers: IdentityHeaders }>();
  return ({ subject, scopes, sessionId = "", degraded, claims }) => {
    const known = degraded === null ? remembered.get(claims) : undefined;
    if (known !== undefined && known.scopes === scopes) return known.headers;
    const headers = identityHeaders(
      encode(subject),
      scopes.map(encode).join(" "),
      encode(sessionId),
      encode(claims.iss ?? ""),
      degraded?.cause ?? "",
    );
    if (degraded === null) remembered.set(claims, { scopes, headers });
    return headers;
  };
}

/** The method that the client sent to the proxy. It is unsafe when the proxy does not tell it. */
function forwardedMethod(req: IncomingMessage): string {
  const request = readForwardedRequest(req);
  return request.status === "ok" ? request.method : "";
}

/** Returns all headers, always. A proxy that copies a missing header may pass on the client's own. */
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

/** Encodes a claim. An encoded claim cannot end a header and start another one. */
function encode(value: string): string {
  return encodeURIComponent(value.toWellFormed());
}

function refuse(res: ServerResponse, status: 400 | 403, description: string): void {
  const code = status === 403 ? "forbidden" : "invalid_request";
  const { headers, body } = oauthErrorContent(code, description);
  const text = JSON.stringify(body);
  res.writeHead(status, { ...headers, "Content-Length": Buffer.byteLength(text) }).end(text);
}

/**
 * Returns a guard that is unavailable after `ms`. The validation continues, and its result is kept. A decision from
 * memory needs no timeout.
 */
function withTimeout(ms: number, guard: Authorizer, clock: Clock): Authorizer {
  const authorize: Authorizer["authorize"] = async (token, rules = {}) =>
    await withDeadline(
      clock,
      "the decision",
      ms,
      async (signal) => await guard.authorize(token, { ...rules, signal }),
      rules.signal,
    );
  return {
    authorize: addFromMemory(authorize, (token, rules) => {
      const decide = getFromMemory<JwtClaims>(guard.authorize);
      return decide === undefined ? null : decide(token, rules);
    }),
  };
}

/** Calls `ask` once for each connection, because proxies keep connections open. */
function oncePerSocket(ask: (socket: Socket) => boolean): (socket: Socket) => boolean {
  const known = new WeakMap<Socket, boolean>();
  return (socket) => {
    const cached = known.get(socket);
    if (cached !== undefined) return cached;
    const answer = ask(socket);
    known.set(socket, answer);
    return answer;
  };
}
