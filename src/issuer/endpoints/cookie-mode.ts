import { bodyOfText, type PlainRequest, type PlainResponse } from "../../core/plain-http.ts";
import {
  CSRF_HEADER,
  extractRequestToken,
  isForeignRequest,
  readCookie,
  type ExtractedToken,
  type RequestView,
} from "../../core/request-token.ts";
import { isLive } from "../../core/session.ts";
import { parseToken } from "../../jwt/parse.ts";
import type { IssuerContext } from "../context.ts";
import type { CookieModeConfig } from "../cookie-options.ts";
import { parseRefreshToken } from "../sessions/refresh-token.ts";
import { findSession } from "../store/session-record.ts";
import type { TokenResponse } from "../types.ts";
import { badRequest, readJsonObject } from "./body.ts";
import type { Endpoint, EndpointCall } from "./endpoint.ts";
import {
  EndpointException,
  asException,
  emptyResponse,
  invalidGrant,
  jsonResponse,
  oauthError,
} from "./respond.ts";
import {
  ACCESS_COOKIE,
  createTokenCookies,
  expireTokenCookies,
  fitsCookie,
  REFRESH_COOKIE,
  SESSION_COOKIE,
} from "./token-cookies.ts";

/** The tokens that an endpoint takes from cookies, and what its success means for the cookies. */
interface CookieUse {
  readonly takes: readonly ("access" | "refresh")[];
  readonly cookies: "set" | "expire" | "expire own" | "keep";
}

const cookieUses: Readonly<Record<string, CookieUse>> = {
  "/auth/login": { takes: [], cookies: "set" },
  "/auth/refresh": { takes: ["refresh"], cookies: "set" },
  "/auth/refresh/ack": { takes: ["refresh"], cookies: "keep" },
  "/auth/logout": { takes: ["access", "refresh"], cookies: "expire" },
  "/auth/logout-all": { takes: ["access", "refresh"], cookies: "expire" },
  "/auth/password": { takes: ["access"], cookies: "set" },
  "/auth/sessions": { takes: ["access"], cookies: "keep" },
  "/auth/sessions/:id": { takes: ["access"], cookies: "expire own" },
};
const REFRESH_PATH = "/auth/refresh";
const LOGOUT_PATH = "/auth/logout";
const administration: CookieUse = { takes: ["access"], cookies: "keep" };

/** The tokens in the cookies of a request. */
interface CarriedTokens {
  readonly access: string | null;
  readonly refresh: string | null;
}

/**
 * Lets an endpoint that knows tokens only answer a page whose tokens are in cookies. `X-Holdfast: 1` chooses cookie mode.
 * The tokens of the cookies then take the place of `Authorization` and of `refresh_token`. The tokens of the answer become
 * cookies. Without the header, cookies count for a safe request without `Authorization`, and for no other.
 */
export function withCookieMode(path: string, endpoint: Endpoint): Endpoint {
  const use = path.startsWith("/admin/") ? administration : cookieUses[path];
  if (use === undefined) return endpoint;
  return async (ctx, call) => {
    const { cookies } = ctx.config;
    const flag = call.request.headers.get(CSRF_HEADER);
    if (flag === null) {
      return await endpoint(ctx, cookies === null ? call : withoutFlag(cookies, use, call));
    }
    if (cookies === null) throw badRequest(400, "This issuer keeps no sessions in cookies.");
    if (flag !== "1") throw badRequest(400, "X-Holdfast must be 1.");
    const view = viewOf(call.request);
    if (isForeignRequest(view, cookies.origins)) throw foreignRequest();
    const carried = { access: readOne(view, ACCESS_COOKIE), refresh: readOne(view, REFRESH_COOKIE) };
    if (path === REFRESH_PATH) rejectPlanted(ctx, view, carried);
    if (path === LOGOUT_PATH && carried.access === null && carried.refresh === null) {
      // The page has logged out before. The cookies that may be left are not sent any more.
      return withCookies(emptyResponse(204), expireTokenCookies(ctx));
    }
    const request = await toTokenRequest(ctx, use, call.request, carried);
    const response = await settle(endpoint, withSizeCheck(ctx, use), { ...call, request });
    // An access token that is not valid has no session to end, and the page must be able to forget it.
    if (path === LOGOUT_PATH && response.status === 401) {
      return withCookies(emptyResponse(204), expireTokenCookies(ctx));
    }
    if (response.status < 300) return toCookieResponse(ctx, use, { path, carried, call }, response);
    const hasEnded = path === REFRESH_PATH && response.status === 400 && (await isProvenEnd(ctx, carried));
    return hasEnded ? withCookies(response, expireTokenCookies(ctx)) : response;
  };
}

/** The request in token mode that a request without `X-Holdfast` amounts to. */
function withoutFlag(cookies: CookieModeConfig, { takes }: CookieUse, call: EndpointCall): EndpointCall {
  const { request } = call;
  if (takes.length === 0 || request.headers.has("Authorization")) return call;
  const view = viewOf(request);
  const isSafe = request.method === "GET" || request.method === "HEAD";
  if (!isSafe) {
    // A page in token mode sends its refresh token as JSON. Anything else can only mean the cookies.
    const names = [ACCESS_COOKIE, REFRESH_COOKIE];
    const hasCookie = names.some((name) => readCookie(view.lines("cookie"), name).status !== "none");
    if (hasCookie && !/^application\/json\b/i.test(request.headers.get("Content-Type") ?? "")) {
      throw foreignRequest();
    }
    return call;
  }
  const found = readAccessCookie(view, cookies);
  if (found.status === "foreign") throw foreignRequest();
  if (found.status === "malformed") throw twoCookies(ACCESS_COOKIE);
  return found.status === "none" ? call : { ...call, request: rebuild(request, found.token) };
}

function readAccessCookie(view: RequestView, { origins }: CookieModeConfig): ExtractedToken {
  const cookie = { name: ACCESS_COOKIE, origins };
  return extractRequestToken(view, { header: "authorization", scheme: "Bearer", cookie });
}

function viewOf({ method, headers }: PlainRequest): RequestView {
  const lines = (name: string) => {
    const value = headers.get(name);
    return value === null ? [] : [value];
  };
  return { method, lines };
}

function foreignRequest(): Error {
  const description =
    "Cookies of this page are not accepted: its origin is not listed, or X-Holdfast is missing.";
  return asException(oauthError(403, "origin_not_allowed", description));
}

function twoCookies(name: string): Error {
  return badRequest(400, `The cookie ${name} must occur once, and be a token.`);
}

function readOne(view: RequestView, name: string): string | null {
  const found = readCookie(view.lines("cookie"), name);
  if (found.status === "malformed") throw twoCookies(name);
  return found.status === "token" ? found.token : null;
}

/**
 * Rejects a refresh cookie that another host of the site may have planted, so that the page would go on in the session of
 * a stranger. Other clients than browsers keep no cookies of other hosts, and send no `Sec-Fetch-Site`.
 */
function rejectPlanted(ctx: IssuerContext, view: RequestView, { refresh }: CarriedTokens): void {
  const token = parseRefreshToken(ctx.secrets, refresh ?? "");
  if (token === null || view.lines("sec-fetch-site").length === 0) return;
  if (readOne(view, SESSION_COOKIE) !== token.session) throw asException(invalidGrant());
}

/** Puts the tokens where the endpoint expects them. A token of the request itself must not contradict its cookie. */
async function toTokenRequest(
  ctx: IssuerContext,
  { takes }: CookieUse,
  request: PlainRequest,
  { access, refresh }: CarriedTokens,
): Promise<PlainRequest> {
  if (!takes.includes("refresh")) {
    const own = request.headers.get("Authorization");
    if (takes.includes("access") && own !== null && own !== `Bearer ${access}`) {
      throw badRequest(400, "Send the access token in the cookie only.");
    }
    return rebuild(request, takes.includes("access") ? access : null);
  }
  const body = await readJsonObject(ctx, request);
  const given = body["refresh_token"];
  if (given !== undefined && refresh !== null && given !== refresh) {
    throw badRequest(400, "refresh_token: contradicts the cookie");
  }
  const token = given ?? refresh ?? undefined;
  // Without a cookie, the browser has no session that could be refreshed.
  if (token === undefined && !takes.includes("access")) throw asException(invalidGrant());
  const text = JSON.stringify({ ...body, refresh_token: token });
  return rebuild(request, takes.includes("access") ? access : null, text);
}

/** A request with other credentials, and with another body when `json` is given. */
function rebuild(request: PlainRequest, accessToken: string | null, json?: string): PlainRequest {
  const { url, method } = request;
  const changed = new Map<string, string | null>([
    ["cookie", null],
    ["authorization", accessToken === null ? null : `Bearer ${accessToken}`],
  ]);
  if (json !== undefined) changed.set("content-type", "application/json").set("content-length", null);
  const get = (name: string) => {
    const value = changed.get(name.toLowerCase());
    return value === undefined ? request.headers.get(name) : value;
  };
  const headers = { get, has: (name: string) => get(name) !== null };
  return { url, method, headers, body: json === undefined ? request.body : bodyOfText(json) };
}

async function settle(endpoint: Endpoint, ctx: IssuerContext, call: EndpointCall): Promise<PlainResponse> {
  try {
    return await endpoint(ctx, call);
  } catch (error) {
    if (error instanceof EndpointException) return error.response;
    throw error;
  }
}

/** The endpoint learns that a token is too large before it writes, because the page could not keep its session. */
function withSizeCheck(ctx: IssuerContext, { cookies }: CookieUse): IssuerContext {
  if (cookies !== "set") return ctx;
  const checkAccessToken = (accessToken: string) => {
    if (!fitsCookie(accessToken)) throw asException(tooLargeForCookie(ctx, accessToken));
  };
  return { ...ctx, checkAccessToken };
}

/** Fewer scopes or claims make a later request succeed, and the session of a refresh goes on (law 1). */
function tooLargeForCookie(ctx: IssuerContext, { length }: string): PlainResponse {
  const message = `an access token of ${length} bytes is too large for a cookie of 4096 bytes: give the user fewer scopes or claims`;
  ctx.emit("token_too_large", message);
  const description = "The access token is too large for a cookie.";
  return oauthError(503, "temporarily_unavailable", description, { "Retry-After": "60" });
}

interface Answered {
  readonly path: string;
  readonly carried: CarriedTokens;
  readonly call: EndpointCall;
}

function toCookieResponse(
  ctx: IssuerContext,
  { cookies: use }: CookieUse,
  { path, carried, call }: Answered,
  response: PlainResponse,
): PlainResponse {
  if (use === "keep") return response;
  if (use === "expire") return withCookies(response, expireTokenCookies(ctx));
  if (use === "expire own") {
    const isOwn = sessionOf(carried.access) === call.params["id"];
    return isOwn ? withCookies(response, expireTokenCookies(ctx)) : response;
  }
  // An endpoint that sets cookies has answered with the tokens.
  const tokens = JSON.parse(response.body as string) as TokenResponse;
  const cookies = createTokenCookies(ctx, tokens);
  if (cookies === null) return tooLargeForCookie(ctx, tokens.access_token);
  const headers = { "Expires-In": String(tokens.expires_in) };
  const { access_token, refresh_token: _, token_type: __, ...facts } = tokens;
  const answer =
    path === REFRESH_PATH
      ? emptyResponse(204, headers)
      : jsonResponse(200, { ...facts, subject: subjectOf(access_token) }, headers);
  return withCookies(answer, cookies);
}

/** The session of a token that the endpoint has accepted. */
function sessionOf(accessToken: string | null): string | undefined {
  const parsed = parseToken(accessToken ?? "");
  return "reason" in parsed ? undefined : parsed.claims.sid;
}

function subjectOf(accessToken: string): string | undefined {
  const parsed = parseToken(accessToken);
  return "reason" in parsed ? undefined : parsed.claims.sub;
}

function withCookies(response: PlainResponse, cookies: readonly string[]): PlainResponse {
  return { ...response, cookies };
}

/** Longer than a request can be under way. */
const SETTLED_MS = 60_000;

/**
 * Whether the store proves that the session of the refresh cookie is over. After a logout or a new password, this browser
 * may have received newer cookies while the request was under way. The request must not remove those, so such an end
 * counts only after a minute.
 */
async function isProvenEnd(ctx: IssuerContext, { refresh }: CarriedTokens): Promise<boolean> {
  const token = parseRefreshToken(ctx.secrets, refresh ?? "");
  // A store that cannot be read proves nothing.
  const session = token && (await findSession(ctx, token.session).catch(() => null));
  if (session === null) return false;
  const { endedAt, endReason } = session;
  const now = ctx.clock.now();
  if (endedAt === null) return !isLive(session, now);
  return endReason === "reuse" || endReason === "revoked" || now - endedAt > SETTLED_MS;
}
