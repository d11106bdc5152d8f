import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { systemErrorCode } from "../../core/errors.ts";
import type { Check } from "../check.ts";
import { fail, ok, skip, warn, type Finding } from "../finding.ts";

/** A request without a token, as an attacker could send it. */
interface Probe {
  readonly what: string;
  /** Changes the path of the guarded address. */
  readonly path?: (path: string) => string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const identity = { "X-Auth-Subject": "doctor", "X-Auth-Scopes": "holdfast:admin", "X-Auth-Issuer": "doctor" };

/** None of these may reach the application. */
const probes: readonly Probe[] = [
  { what: "a request without a token" },
  { what: "identity headers of its own", headers: identity },
  { what: "an identity header with an underscore", headers: { X_Auth_Subject: "doctor" } },
  { what: "headers that claim another path", headers: { "X-Forwarded-Uri": "/", "X-Original-URI": "/" } },
  {
    what: "headers that claim another method",
    headers: { "X-Forwarded-Method": "OPTIONS", "X-Original-Method": "OPTIONS" },
  },
  { what: "a header that claims another host", headers: { "X-Forwarded-Host": "localhost" } },
  { what: "a header that takes the place of the method", headers: { "X-HTTP-Method-Override": "OPTIONS" } },
  {
    what: "a Connection header that names the headers of the gateway",
    headers: {
      Connection:
        "close, X-Auth-Subject, X-Original-URI, X-Original-Method, X-Forwarded-Uri, X-Forwarded-Method",
      ...identity,
    },
  },
  { what: "a path with two slashes", path: (path) => `/${path}` },
  { what: "a path with an encoded dot segment", path: (path) => `${path}/%2e%2e${path}` },
  { what: "a path with a parameter", path: (path) => `${path};x=/public` },
  {
    what: "another spelling of the path",
    path: (path) => path.replace(/[a-z]/i, (c) => `%${c.charCodeAt(0).toString(16)}`),
  },
];

/** Sends requests to a guarded address as a stranger would. None may pass. */
export const throughCheck: Check = {
  name: "through",
  group: "service",
  asks: "the address of --through",
  async run({ options }, signal) {
    const url = URL.parse(options.through ?? "");
    if (url === null)
      return [skip("--through URL sends forged requests to an address that your proxy guards")];
    const results = await Promise.all(
      probes.map(async (probe) => ({ probe, status: await send(url, probe, signal) })),
    );
    const plain = results[0]?.status;
    if (typeof plain === "string") {
      return [
        fail(
          `${url.href} cannot be reached (${plain})`,
          "name an address that your proxy guards and that a client can reach",
        ),
      ];
    }
    if (plain !== undefined && plain >= 300 && plain < 400) {
      return [fail(`${url.href} answers with a redirect (${plain})`, "name the address that it leads to")];
    }
    const passed = results.filter(({ status }) => typeof status === "number" && status < 300);
    if (passed.some(({ probe }) => probe === probes[0])) {
      const advice =
        "name an address that needs a token; if this one does, the proxy does not ask the gateway about it";
      return [fail(`${url.href} answers ${plain} to a request without a token: nothing guards it`, advice)];
    }
    const findings: Finding[] = passed.map(({ probe, status }) =>
      fail(
        `${url.href} answers ${status} to ${probe.what}, without a token`,
        "take the proxy's configuration from ops/, and let nothing be passed on before the gateway has answered",
      ),
    );
    if (plain === 403) findings.push(refusesEverything(url));
    findings.push(...(await findOpenVerify(url, signal)));
    if (plain !== undefined && plain >= 500) {
      findings.push(
        warn(
          `${url.href} answers ${plain}: the gateway behind it gives no answer`,
          "see whether the proxy reaches the gateway",
        ),
      );
    }
    if (findings.length > 0) return findings;
    return [ok(`${url.href} refuses ${probes.length} forged requests with ${plain}`)];
  },
};

/** A missing token is 401. After a 403 nothing shows that a good token would pass. */
function refusesEverything(url: URL): Finding {
  return fail(
    `${url.href} answers 403 to a request without a token, where 401 is expected: a good token may get 403, too`,
    "add the address that the proxy connects from to HOLDFAST_TRUSTED_PROXIES of the service, or name an address for which the policy has a rule",
  );
}

/** The gateway is for proxies. A client that reaches it can describe any request, and ask whether a token would pass. */
async function findOpenVerify(url: URL, signal: AbortSignal): Promise<Finding[]> {
  const status = await send(new URL("/verify", url), { what: "the gateway itself" }, signal);
  if (status === 404 || typeof status === "string") return [];
  const guarded = await send(
    new URL("/holdfast-doctor-no-such-path", url),
    { what: "an unknown path" },
    signal,
  );
  // Where every path is guarded, /verify is refused as every other path is.
  if (status === guarded) return [];
  return [
    warn(
      `${url.origin}/verify answers ${status} to clients`,
      "let the proxy pass /verify to nobody: it is for the proxy itself",
    ),
  ];
}

/** Returns the status, or the code of the error. `fetch` would correct the path and refuse some headers. */
async function send(
  url: URL,
  { path, method = "GET", headers }: Probe,
  signal: AbortSignal,
): Promise<number | string> {
  const request = url.protocol === "https:" ? requestHttps : requestHttp;
  return await new Promise((resolve) => {
    const sent = request(url, {
      path: path?.(url.pathname) ?? url.pathname,
      method,
      headers: { Connection: "close", ...headers },
      signal,
    });
    sent.on("response", (response) => {
      response.destroy();
      resolve(response.statusCode ?? 0);
    });
    sent.on("error", (error) => resolve(systemErrorCode(error) ?? "failed"));
    sent.end();
  });
}
