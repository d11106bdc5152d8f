import { writeFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createProvider, type Provider } from "../../../src/testing/index.ts";
import { startApplication } from "../../gateway/application.ts";
import { startNginx } from "../../gateway/proxies.ts";
import { login, type Tokens } from "../../support/auth-calls.ts";
import { startService, type ServiceProcess } from "../../support/service-process.ts";

const audience = "https://api.example";
const movableClock = fileURLToPath(new URL("../../support/movable-clock.ts", import.meta.url));

/** The route of the site that refuses a token while the view of revocations is older than this. */
const RECENT_PATH = "/recent";
const MAX_REVOCATION_AGE_MS = 3000;
const policy = {
  rules: [{ path: `${RECENT_PATH}/*`, maxRevocationAgeMs: MAX_REVOCATION_AGE_MS }, { path: "/*" }],
};

/** Real services behind a real nginx, with an application and a provider. */
export interface Site {
  readonly issuer: ServiceProcess;
  /** The same process as `issuer`, unless the site has two. */
  readonly gateway: ServiceProcess;
  readonly provider: Provider;
  /** The base address of nginx. */
  readonly proxy: string;
  /** The path of nginx that only tokens of the service can use. */
  readonly recentPath: string;
  readonly dataDir: string;
  readonly tokens: { current: Tokens };
  /** Sets the wall clock of the services ahead, or back to the right time with 0. */
  readonly moveClock: (aheadMs: number) => void;
  readonly stop: () => Promise<void>;
}

interface SiteOptions {
  /** A folder that exists, or nothing for a new one. The caller removes it. */
  readonly dataDir?: string;
  readonly settings?: Readonly<Record<string, string>>;
  /** Further settings of the process that answers nginx. Without them, one process does everything. */
  readonly gatewaySettings?: Readonly<Record<string, string | undefined>>;
}

export async function startSite({ dataDir, settings, gatewaySettings }: SiteOptions = {}): Promise<Site> {
  const parts: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const part of parts.splice(0).toReversed()) await part();
  };
  try {
    const folder = await mkdtemp(join(tmpdir(), "holdfast-site-"));
    parts.push(async () => await rm(folder, { recursive: true, force: true }));
    const provider = await createProvider({ audience });
    await provider.listen();
    parts.push(async () => await provider.close());
    const clockFile = join(folder, "clock");
    await writeFile(join(folder, "policy.json"), JSON.stringify(policy));
    const start = async (directory: string, more: SiteOptions["gatewaySettings"] = {}) => {
      const service = await startService(directory, {
        HOLDFAST_AUDIENCE: audience,
        HOLDFAST_LOG_LEVEL: "fatal",
        HOLDFAST_POLICY: join(folder, "policy.json"),
        HOLDFAST_TRUSTED_PROXIES: "127.0.0.1",
        HOLDFAST_PROVIDER_ISSUER: provider.issuer,
        HOLDFAST_AUTHORITY_URL: provider.url("introspection"),
        HOLDFAST_AUTHORITY_CLIENT: `${provider.clientId}:${provider.clientSecret}`,
        MOVABLE_CLOCK_FILE: clockFile,
        NODE_OPTIONS: `--import=${movableClock}`,
        ...settings,
        ...more,
      });
      parts.push(async () => await service.stop("SIGKILL"));
      return service;
    };
    const data = dataDir ?? join(folder, "data");
    const issuer = await start(data);
    const gateway = gatewaySettings ? await start(join(folder, "gateway"), gatewaySettings) : issuer;
    const application = await startApplication();
    parts.push(async () => await application.stop());
    const proxy = await startNginx(
      portOf(gateway.url),
      `include ops:holdfast.conf;
       location / { proxy_pass http://application; }
       location /auth/ { auth_request off; proxy_pass http://issuer; }`,
      `upstream application { server 127.0.0.1:${application.port}; }
       upstream issuer { server 127.0.0.1:${portOf(issuer.url)}; }`,
    );
    parts.push(async () => await proxy.stop());
    const address = `http://127.0.0.1:${proxy.port}`;
    return {
      issuer,
      gateway,
      provider,
      proxy: address,
      recentPath: `${RECENT_PATH}/`,
      dataDir: data,
      tokens: { current: await login(address) },
      moveClock: (aheadMs) => writeFileSync(clockFile, String(aheadMs)),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}
