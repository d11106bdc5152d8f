import { METHODS, type IncomingMessage } from "node:http";
import { plainPath } from "./plain-path.ts";

/** The request that a proxy asks about. */
export interface Asked {
  readonly status: "asked";
  /** In lower case, without port. */
  readonly host: string;
  /** `GET` for `HEAD` too: servers answer both by the same code. */
  readonly method: string;
  /** As `plainPath` gives it. */
  readonly path: string;
}

/** What cannot be judged; `why` is for whoever set the proxy up. */
interface Unclear {
  readonly status: "unclear";
  readonly why: string;
}

/** The headers that a proxy sets itself, whatever the client sent. */
interface Headers {
  readonly method: string;
  readonly target: string;
  readonly host: string;
}

const forwarded = { method: "x-forwarded-method", target: "x-forwarded-uri", host: "x-forwarded-host" };
const original = { method: "x-original-method", target: "x-original-uri", host: "x-forwarded-host" };

/** The path asked at names the proxy, so that no header is read that this proxy would pass on from a client. */
const dialects: ReadonlyMap<string | undefined, Headers> = new Map([
  ["nginx", original],
  ["caddy", forwarded],
  ["haproxy", forwarded],
  ["traefik", forwarded],
]);

/** Envoy puts the original path behind this one, and sends method and host as they were. */
const ENVOY = "/verify/envoy";
/** Those that can be judged: what comes after a CONNECT would be judged by nobody. */
export const judgedMethods: ReadonlySet<string> = new Set(METHODS.filter((method) => method !== "CONNECT"));
const hostName = /^((?:[a-z\d_-]+\.)*[a-z\d_-]+|\[[a-f\d:.]+\])\.?(?::\d{1,5})?$/;

/** A host without port and last dot, in lower case; `undefined` if it is none. */
export function plainHost(host: string): string | undefined {
  return hostName.exec(host.toLowerCase())?.[1];
}

/** Whether Envoy asks: it waits 200 ms and no longer. */
export function isFromEnvoy({ url = "" }: IncomingMessage): boolean {
  return url.startsWith(ENVOY) && /^(?:[/?]|$)/.test(url.slice(ENVOY.length));
}

/** Which request the proxy asks about. Only for a proxy that is trusted. */
export function readQuestion(req: IncomingMessage): Asked | Unclear {
  const { url = "", rawHeaders } = req;
  if (isFromEnvoy(req)) {
    return question(req.method, url.slice(ENVOY.length), once(rawHeaders, "host"));
  }
  const names = dialects.get(/^\/verify\/(\w+)(?:\?|$)/.exec(url)?.[1]);
  if (names === undefined) return unclear("The proxy has to ask at the path that is named for it.");
  const { method, target, host } = names;
  return question(once(rawHeaders, method), once(rawHeaders, target), once(rawHeaders, host));
}

function question(
  method: string | undefined,
  target: string | undefined,
  host: string | undefined,
): Asked | Unclear {
  if (method === undefined || target === undefined || host === undefined) {
    return unclear("The proxy did not say once which host, method and path it asks about.");
  }
  const name = plainHost(host);
  if (name === undefined || !judgedMethods.has(method)) return unclear("Host or method is not plain.");
  const path = plainPath(target);
  if (path === null) return unclear("The path can be read in more than one way.");
  return { status: "asked", host: name, method: method === "HEAD" ? "GET" : method, path };
}

function unclear(why: string): Unclear {
  return { status: "unclear", why };
}

/** The value of a header that is there exactly once: of two, one may be the client's. */
function once(rawHeaders: readonly string[], wanted: string): string | undefined {
  let found: string | undefined;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? "";
    if (name.length !== wanted.length || name.toLowerCase() !== wanted) continue;
    if (found !== undefined) return undefined;
    found = rawHeaders[i + 1];
  }
  return found;
}
