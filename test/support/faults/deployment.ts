import { writeFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createProvider, type Provider } from "../../../src/testing/index.ts";
import { serviceEnvironment, startService, type ServiceProcess } from "../service-process.ts";

const audience = "https://api.example";
const movableClock = fileURLToPath(new URL("../movable-clock.ts", import.meta.url));

/** The route that refuses a token while the view of revocations is older than this. */
export const RECENT_PATH = "/recent/";
const MAX_REVOCATION_AGE_MS = 3000;
const policy = {
  rules: [{ path: `${RECENT_PATH}*`, maxRevocationAgeMs: MAX_REVOCATION_AGE_MS }, { path: "/*" }],
};

/** Real service processes with a real provider, to which faults can be done. */
export interface Deployment {
  readonly issuer: ServiceProcess;
  /** The same process as `issuer`, unless the deployment has two. */
  readonly gateway: ServiceProcess;
  readonly provider: Provider;
  readonly dataDir: string;
  /** The environment of the issuer and of the gateway. A command with it acts as beside that process, with its clock. */
  readonly environments: { readonly issuer: NodeJS.ProcessEnv; readonly gateway: NodeJS.ProcessEnv };
  /** Sets the wall clock of the services ahead, or back to the right time with 0. */
  readonly moveClock: (aheadMs: number) => void;
  /** Ends what was started. A second call does nothing. */
  readonly stop: () => Promise<void>;
}

export interface DeploymentOptions {
  /** A folder that exists, or nothing for a new one. The caller removes it. */
  readonly dataDir?: string;
  readonly settings?: Readonly<Record<string, string>>;
  /** Further settings of the process that answers the proxy. Without them, one process does everything. */
  readonly gatewaySettings?: Readonly<Record<string, string | undefined>>;
}

export async function startDeployment(options: DeploymentOptions = {}): Promise<Deployment> {
  const { settings, gatewaySettings } = options;
  const parts: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const part of parts.splice(0).toReversed()) await part();
  };
  try {
    const folder = await mkdtemp(join(tmpdir(), "holdfast-deployment-"));
    parts.push(async () => await rm(folder, { recursive: true, force: true }));
    const provider = await createProvider({ audience });
    await provider.listen();
    parts.push(async () => await provider.close());
    const clockFile = join(folder, "clock");
    await writeFile(join(folder, "policy.json"), JSON.stringify(policy));
    const common = {
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
    };
    const start = async (directory: string, more: DeploymentOptions["gatewaySettings"] = {}) => {
      const service = await startService(directory, { ...common, ...more });
      parts.push(async () => await service.stop("SIGKILL"));
      const environment = serviceEnvironment(directory, { ...common, ...more });
      // The ports that the process found, so that a command beside it knows them.
      environment["HOLDFAST_PORT"] = portOf(service.url);
      environment["HOLDFAST_ADMIN_PORT"] = portOf(service.admin);
      return { service, environment };
    };
    const dataDir = options.dataDir ?? join(folder, "data");
    const issuer = await start(dataDir);
    const gateway = gatewaySettings ? await start(join(folder, "gateway"), gatewaySettings) : issuer;
    return {
      issuer: issuer.service,
      gateway: gateway.service,
      provider,
      dataDir,
      environments: { issuer: issuer.environment, gateway: gateway.environment },
      moveClock: (aheadMs) => writeFileSync(clockFile, String(aheadMs)),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

export function portOf(url: string): string {
  return new URL(url).port;
}
