/** How Node reaches the network: its variables, as this process has them. */
export interface NetworkEnvironment {
  /** The names of the variables that name a proxy. */
  readonly proxyVariables: readonly string[];
  /** Whether `fetch` uses these variables. */
  readonly usesProxy: boolean;
  /** The hosts that are reached without the proxy. `undefined` when there are none. */
  readonly noProxy: string | undefined;
  /** The file of further certificate authorities. `undefined` without one. */
  readonly extraAuthorities: string | undefined;
  /** Whether the variable NODE_TLS_REJECT_UNAUTHORIZED turns the check of certificates off. */
  readonly acceptsAnyCertificate: boolean;
}

const PROXY_NAMES = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];

export function readNetworkEnvironment(): NetworkEnvironment {
  const { env, execArgv } = process;
  const flags = [...execArgv, ...(env["NODE_OPTIONS"] ?? "").split(/\s+/)];
  return {
    proxyVariables: PROXY_NAMES.filter((name) => (env[name] ?? "") !== ""),
    usesProxy: env["NODE_USE_ENV_PROXY"] === "1" || flags.includes("--use-env-proxy"),
    noProxy: env["NO_PROXY"] ?? env["no_proxy"],
    extraAuthorities: env["NODE_EXTRA_CA_CERTS"],
    acceptsAnyCertificate: env["NODE_TLS_REJECT_UNAUTHORIZED"] === "0",
  };
}
