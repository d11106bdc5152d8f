import { METHODS, type IncomingMessage } from "node:http";
import { readMethodOverrides } from "./method-override.ts";
import { readPath } from "./normalize-path.ts";

/** The request that a proxy forwards for authorization. */
export interface ForwardedRequest {
  readonly status: "ok";
  /** The host in lower case, without port. */
  readonly host: string;
  /** `HEAD` becomes `GET`, because servers answer both with the same code. */
  readonly method: string;
  /** The path in the form of `normalizePath`. */
  readonly path: string;
  /** Other forms in which an application could read the path. The same rule must decide on each. */
  readonly otherPaths?: readonly string[];
  /** Other methods that an application could take for the method. The same rule must decide on each. */
  readonly otherMethods?: readonly string[];
}

/** A request that cannot be authorized. `reason` is a text for the operator of the proxy. */
interface UnclearRequest {
  readonly status: "unclear";
  readonly reason: string;
}

/** The names of the headers that a proxy always sets itself. */
interface HeaderNames {
  readonly method: string;
  readonly target: string;
  readonly host: string;
}

const forwarded = { method: "x-forwarded-method", target: "x-forwarded-uri", host: "x-forwarded-host" };
const original = { method: "x-original-method", target: "x-original-uri", host: "x-forwarded-host" };

/** The path of the request names the proxy, so that only headers are read which that proxy never takes from a client. */
const headerNamesByProxy: ReadonlyMap<string | undefined, HeaderNames> = new Map([
  ["nginx", original],
  ["caddy", forwarded],
  ["haproxy", forwarded],
  ["traefik", forwarded],
]);

/** Envoy appends the original path to this one, and keeps method and host. */
const ENVOY = "/verify/envoy";
/** The methods that can be authorized. CONNECT is excluded, because no rule would apply to the tunnelled data. */
export const supportedMethods: ReadonlySet<string> = new Set(
  METHODS.filter((method) => method !== "CONNECT"),
);
const hostName = /^((?:[a-z\d_-]+\.)*[a-z\d_-]+|\[[a-f\d:.]+\])\.?(?::\d{1,5})?$/;

/** Returns the host in lower case, without port and final dot. `undefined` for a malformed host. */
export function normalizeHost(host: string): string | undefined {
  return hostName.exec(host.toLowerCase())?.[1];
}

/** Whether the request is from Envoy, which waits for at most 200 ms. */
export function isFromEnvoy({ url = "" }: IncomingMessage): boolean {
  return url.startsWith(ENVOY) && /^(?:[/?]|$)/.test(url.slice(ENVOY.length));
}

/** Reads the forwarded request from the headers. The caller must have checked that the proxy is trusted. */
export function readForwardedRequest(req: IncomingMessage): ForwardedRequest | UnclearRequest {
  const { url = "", rawHeaders } = req;
  if (isFromEnvoy(req)) {
    return parseForwardedRequest(
      req.method,
      url.slice(ENVOY.length),
      singleHeader(rawHeaders, "host"),
      rawHeaders,
    );
  }
  const names = headerNamesByProxy.get(/^\/verify\/(\w+)(?:\?|$)/.exec(url)?.[1]);
  if (names === undefined)
    return unclearRequest("The proxy must use the path under /verify that is named after it.");
  const { method, target, host } = names;
  return parseForwardedRequest(
    singleHeader(rawHeaders, method),
    singleHeader(rawHeaders, target),
    singleHeader(rawHeaders, host),
    rawHeaders,
  );
}

function parseForwardedRequest(
  method: string | undefined,
  target: string | undefined,
  host: string | undefined,
  rawHeaders: readonly string[],
): ForwardedRequest | UnclearRequest {
  if (method === undefined || target === undefined || host === undefined) {
    return unclearRequest("The proxy must send host, method and path exactly once each.");
  }
  const name = normalizeHost(host);
  if (name === undefined || !supportedMethods.has(method))
    return unclearRequest("The host or the method is malformed.");
  const paths = readPath(target);
  if (paths === null) return unclearRequest("The path can be read in more than one way.");
  const overrides = readMethodOverrides(rawHeaders, target);
  const folded = foldHead(method);
  // Nearly every request can be read in one way only, and a smaller object is made faster.
  if (paths.length === 1 && overrides.length === 0) {
    return { status: "ok", host: name, method: folded, path: paths[0] };
  }
  const [path, ...otherPaths] = paths;
  return {
    status: "ok",
    host: name,
    method: folded,
    path,
    ...(otherPaths.length > 0 && { otherPaths }),
    ...(overrides.length > 0 && { otherMethods: overrides.map(foldHead) }),
  };
}

function foldHead(method: string): string {
  return method === "HEAD" ? "GET" : method;
}

function unclearRequest(why: string): UnclearRequest {
  return { status: "unclear", reason: why };
}

/** Returns the value of a header that occurs exactly once. With two, one may be the client's. */
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
