import { METHODS, type IncomingMessage } from "node:http";
import { normalizePath } from "./normalize-path.ts";

/** The request that a proxy asks about. */
export interface ForwardedRequest {
  readonly status: "ok";
  /** In lower case, without port. */
  readonly host: string;
  /** `GET` for `HEAD` too: servers answer both by the same code. */
  readonly method: string;
  /** As `plainPath` gives it. */
  readonly path: string;
}

/** What cannot be judged; `why` is for whoever set the proxy up. */
interface UnclearRequest {
  readonly status: "unclear";
  readonly reason: string;
}

/** The headers that a proxy sets itself, whatever the client sent. */
interface HeaderNames {
  readonly method: string;
  readonly target: string;
  readonly host: string;
}

const forwarded = { method: "x-forwarded-method", target: "x-forwarded-uri", host: "x-forwarded-host" };
const original = { method: "x-original-method", target: "x-original-uri", host: "x-forwarded-host" };

/** The path asked at names the proxy, so that no header is read that this proxy would pass on from a client. */
const headerNamesByProxy: ReadonlyMap<string | undefined, HeaderNames> = new Map([
  ["nginx", original],
  ["caddy", forwarded],
  ["haproxy", forwarded],
  ["traefik", forwarded],
]);

/** Envoy puts the original path behind this one, and sends method and host as they were. */
const ENVOY = "/verify/envoy";
/** Those that can be judged: what comes after a CONNECT would be judged by nobody. */
export const supportedMethods: ReadonlySet<string> = new Set(
  METHODS.filter((method) => method !== "CONNECT"),
);
const hostName = /^((?:[a-z\d_-]+\.)*[a-z\d_-]+|\[[a-f\d:.]+\])\.?(?::\d{1,5})?$/;

/** A host without port and last dot, in lower case; `undefined` if it is none. */
export function normalizeHost(host: string): string | undefined {
  return hostName.exec(host.toLowerCase())?.[1];
}

/** Whether Envoy asks: it waits 200 ms and no longer. */
export function isFromEnvoy({ url = "" }: IncomingMessage): boolean {
  return url.startsWith(ENVOY) && /^(?:[/?]|$)/.test(url.slice(ENVOY.length));
}

/** Which request the proxy asks about. Only for a proxy that is trusted. */
export function readForwardedRequest(req: IncomingMessage): ForwardedRequest | UnclearRequest {
  const { url = "", rawHeaders } = req;
  if (isFromEnvoy(req)) {
    return parseForwardedRequest(req.method, url.slice(ENVOY.length), singleHeader(rawHeaders, "host"));
  }
  const names = headerNamesByProxy.get(/^\/verify\/(\w+)(?:\?|$)/.exec(url)?.[1]);
  if (names === undefined) return unclearRequest("The proxy has to ask at the path that is named for it.");
  const { method, target, host } = names;
  return parseForwardedRequest(
    singleHeader(rawHeaders, method),
    singleHeader(rawHeaders, target),
    singleHeader(rawHeaders, host),
  );
}

function parseForwardedRequest(
  method: string | undefined,
  target: string | undefined,
  host: string | undefined,
): ForwardedRequest | UnclearRequest {
  if (method === undefined || target === undefined || host === undefined) {
    return unclearRequest("The proxy did not say once which host, method and path it asks about.");
  }
  const name = normalizeHost(host);
  if (name === undefined || !supportedMethods.has(method))
    return unclearRequest("Host or method is not plain.");
  const path = normalizePath(target);
  if (path === null) return unclearRequest("The path can be read in more than one way.");
  return { status: "ok", host: name, method: method === "HEAD" ? "GET" : method, path };
}

function unclearRequest(why: string): UnclearRequest {
  return { status: "unclear", reason: why };
}

/** The value of a header that is there exactly once: of two, one may be the client's. */
function singleHeader(rawHeaders: readonly string[], wanted: string): string | undefined {
  let found: string | undefined;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? "";
    if (name.length !== wanted.length || name.toLowerCase() !== wanted) continue;
    if (found !== undefined) return undefined;
    found = rawHeaders[i + 1];
  }
  return found;
}
