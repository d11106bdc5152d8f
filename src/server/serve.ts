import type { Logger } from "pino";
import type { Clock } from "../core/clock.ts";
import { HoldfastError, systemErrorCode } from "../core/errors.ts";
import type { MetricSource } from "../core/metrics.ts";
import { readPolicyFile } from "../gateway/policy-file.ts";
import { revocationAgeBounds, type PathPolicy } from "../gateway/policy.ts";
import { fileSnapshots } from "../stores/file-snapshots.ts";
import { ensureFirstUser } from "./first-user.ts";
import { mountAdmin } from "./http/mount-admin.ts";
import { mountPublic, watchProxies } from "./http/mount-public.ts";
import { createCorsPolicy } from "../issuer/endpoints/cors.ts";
import { adminConnectionLimits, publicConnectionLimits } from "./http/listener-limits.ts";
import type { Dashboard } from "./dashboard/dashboard-api.ts";
import { readFallback } from "./health/fallback.ts";
import { HealthMonitor } from "./health/health-monitor.ts";
import { httpAddress, listen, type Listener } from "./http/listen.ts";
import { createRequestLog } from "./http/request-log.ts";
import { RequestMeasure } from "./http/request-measure.ts";
import { RequestMetrics } from "./http/request-metrics.ts";
import type { LocalFiles } from "./store/local-store.ts";
import { warnWithoutSdk } from "./load-tracing.ts";
import { createLogger, logEvents } from "./logs.ts";
import { randomNonce } from "./process-proof.ts";
import { systemPlatform, type Platform } from "./platform.ts";
import { announceProcess } from "./running-processes.ts";
import { composeService, recordIdentity, type Service, type ServiceIdentity } from "./service.ts";
import { backupMetricSource } from "./backup-metrics.ts";
import { readGuardFile } from "./guard-file.ts";
import { loadSettings } from "./secret-files.ts";
import { createSessionDigest, type SessionDigest } from "./session-digest.ts";
import { firstParentId, watchNpx } from "./npx-parent.ts";
import { findServiceLinks } from "./service-links.ts";
import type { Settings } from "./settings.ts";
import { loadStoreModules, openStore } from "./store/open-store.ts";
import { version } from "./version.ts";

export interface RunningService {
  /** The addresses as bound, for example `http://127.0.0.1:4180`. */
  readonly publicAddress: string;
  readonly adminAddress: string;
  /** The lines for the operator: store, addresses, and where the first password is. */
  readonly banner: string;
  /** Finishes the requests under way and closes everything. */
  readonly stop: () => Promise<void>;
}

const signals = ["SIGTERM", "SIGINT"] as const;

/**
 * Starts the service with its listeners. When a part cannot start, everything is closed again. `onSecret` gets the secret
 * when the store is open, because its first start generates one.
 */
export async function startService(
  settings: Settings,
  log: Logger = createLogger(settings.logLevel),
  onSecret: (secret: string) => void = () => {},
  platform: Platform = systemPlatform,
): Promise<RunningService> {
  let withdraw = async () => {};
  const listeners: Listener[] = [];
  let service: Service | undefined;
  let dashboard: Dashboard | undefined;
  const stop = async () => {
    await withdraw();
    // A stream would keep its listener open until the deadline.
    dashboard?.close();
    await Promise.all(listeners.splice(0).map(async (listener) => await listener.stop()));
    await service?.close();
  };
  try {
    const policy = await readPolicy(settings);
    await loadStoreModules(settings);
    // The ports come first, so that a second service is refused before it touches any data.
    const requests = measureRequests(settings, log, platform.clock);
    const publicListener = await listen(settings.host, settings.port, "HOLDFAST_PORT", {
      connectionLimits: publicConnectionLimits(settings),
      cors: createCorsPolicy(settings.corsOrigins, settings.cookies?.origins),
      measure: requests.begin.bind(requests, "public"),
    });
    listeners.push(publicListener);
    const adminListener = await listen(settings.adminHost, settings.adminPort, "HOLDFAST_ADMIN_PORT", {
      connectionLimits: adminConnectionLimits,
      measure: requests.begin.bind(requests, "admin"),
    });
    listeners.push(adminListener);

    const identity = resolveIdentity(settings, publicListener);
    const guardFile = await readGuardFile(settings.guardFile, identity.audience, platform.fetch);
    requireKnownAudiences(policy, [...[identity.audience].flat(), ...guardFile.audiences]);
    const opened = await openStore(settings, { create: true }, platform);
    const { files, secret, isNew: isNewStore } = opened;
    onSecret(secret);
    const snapshots = fileSnapshots({ dir: files.snapshots });
    service = await composeService(opened, settings, identity, { snapshots, guardFile, ...platform });
    await warnWithoutSdk(settings.traces, log);
    const previous = await recordIdentity(service.store, service);
    const firstUser = await addFirstUser(service, settings, files);

    const [bounds, fallback] = [revocationAgeBounds(policy), readFallback(settings, guardFile)];
    const proxies = watchProxies(service, settings, policy);
    const health = new HealthMonitor(service, settings.roles, platform.clock, bounds, fallback, proxies);
    mountPublic(publicListener, service, health, settings, { policy, guardFile, proxies });
    const nonce = randomNonce();
    const metrics = [requestMetricSource(requests), backupMetricSource(files.lastBackup)];
    const parts = { settings, secret, files, health, bounds, fallback, metrics, nonce, log };
    const admin = await mountAdmin(adminListener, service, parts);
    ({ dashboard } = admin);
    withdraw = await announce(files.processes, commandAddress(adminListener), nonce, log);
    const facts = { publicListener, adminListener, policy, isNewStore, firstUser, previous };
    return {
      publicAddress: publicListener.address,
      adminAddress: adminListener.address,
      banner: describeStart(service, settings, { ...facts, tokenFile: admin.tokenFile }),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** `undefined` when the settings name no policy. */
async function readPolicy({ policyFile }: Settings): Promise<PathPolicy | undefined> {
  return policyFile === undefined ? undefined : await readPolicyFile(policyFile);
}

/** `null` for a service without the role of an issuer. */
async function addFirstUser(service: Service, { roles, bootstrapUser }: Settings, files: LocalFiles) {
  return roles.has("issuer") ? await ensureFirstUser(service, bootstrapUser, files.password) : null;
}

/** Measures the requests, and logs them when the settings ask for that. */
function measureRequests(
  { requestLog, trustedProxies }: Settings,
  log: Logger,
  clock: Clock,
): RequestMeasure {
  const requests = new RequestMeasure(clock);
  const logRequest = createRequestLog(log, requestLog, trustedProxies);
  if (logRequest !== null) requests.subscribe(logRequest);
  return requests;
}

function requestMetricSource(requests: RequestMeasure): MetricSource {
  const source = new RequestMetrics();
  requests.subscribe((measured) => source.record(measured));
  return source;
}

/**
 * Announces this process to commands, and returns the function that withdraws the announcement. Both always resolve: the
 * service must start and stop although the directory cannot be written.
 */
async function announce(
  directory: string,
  address: string | null,
  nonce: string,
  log: Logger,
): Promise<() => Promise<void>> {
  const effect = "holdfast keys distrust and holdfast breaker do not reach this process";
  if (address === null) {
    log.warn(`the admin listener is not on 127.0.0.1: ${effect}`);
    return async () => {};
  }
  try {
    const withdraw = await announceProcess(directory, { address }, nonce);
    return async () => {
      await withdraw().catch((error: unknown) => {
        log.warn(`the announcement in ${directory} cannot be removed (${systemErrorCode(error)})`);
      });
    };
  } catch (error) {
    log.warn(`${directory} cannot be written (${systemErrorCode(error)}): ${effect}`);
    return async () => {};
  }
}

/** The address at which commands on this machine reach the admin listener. `null` when they cannot. */
function commandAddress({ address, port }: Listener): string | null {
  const { hostname } = new URL(address);
  return ["127.0.0.1", "0.0.0.0", "[::]"].includes(hostname) ? httpAddress("127.0.0.1", port) : null;
}

interface StartFacts {
  readonly publicListener: Listener;
  readonly adminListener: Listener;
  readonly policy: PathPolicy | undefined;
  readonly isNewStore: boolean;
  readonly firstUser: string | null;
  readonly previous: ServiceIdentity | null;
  /** The file of a generated token of the admin listener. */
  readonly tokenFile: string | null;
}

function describeStart(service: Service, settings: Settings, facts: StartFacts): string {
  const { publicListener, adminListener, policy, isNewStore, firstUser, previous, tokenFile } = facts;
  const lines = [
    `holdfast ${version}, ${isNewStore ? "new store" : "store"}: ${service.store.description}`,
    `  public  ${publicListener.address}`,
    `  admin   ${adminListener.address}`,
  ];
  if (service.url !== publicListener.address) lines.push(`  issuer  ${service.url}`);
  if (settings.roles.size === 1) lines.push(`  role    ${[...settings.roles].join()}`);
  if (policy !== undefined) lines.push(`  policy  ${settings.policyFile}, rules: ${policy.length}`);
  if (tokenFile !== null) lines.push(`  admin token in ${tokenFile}`);
  if (firstUser !== null) lines.push(`  ${firstUser}`);
  if (previous !== null) {
    lines.push(
      `  These data were served as ${previous.url} for ${[previous.audience].flat().join(", ")} before. Access tokens with that issuer`,
      "  and audience are refused now. Services that share data need the same HOLDFAST_URL and HOLDFAST_AUDIENCE.",
    );
  }
  return lines.join("\n");
}

/** No token passes a rule with an audience that the service does not know, so the rule is a mistake. */
function requireKnownAudiences(policy: PathPolicy | undefined, known: readonly string[]): void {
  const named = (policy ?? []).flatMap(({ requirements }) => requirements?.audience ?? []);
  const unknown = named.find((one) => !known.includes(one));
  if (unknown === undefined) return;
  throw new HoldfastError(
    "invalid_option",
    `HOLDFAST_POLICY names the audience ${unknown}, which HOLDFAST_AUDIENCE and HOLDFAST_GUARD do not`,
  );
}

/** Clients cannot connect to a wildcard address, so the default URL names localhost in its place. */
function resolveIdentity(settings: Settings, listener: Listener): ServiceIdentity {
  const host = ["0.0.0.0", "::"].includes(settings.host) ? "localhost" : settings.host;
  const url = settings.url ?? httpAddress(host, listener.port);
  return { url, audience: settings.audience ?? url };
}

/**
 * Runs the service with the settings of the environment until SIGTERM or SIGINT. A second signal ends the process
 * immediately. Resolves when everything is closed.
 */
export async function serve(): Promise<void> {
  const settings = await loadSettings();
  const log = createLogger(settings.logLevel);
  const [link, ...links] = findServiceLinks(process.env);
  if (link !== undefined) {
    const names = links.length === 0 ? link : `${link} and ${links.length} more`;
    log.info(`${names} describe a Kubernetes Service and are ignored; enableServiceLinks: false omits them`);
  }
  let digest: SessionDigest | null = null;
  const stopLogging = logEvents(log, () => digest);
  let stopWatching = () => {};
  // The handlers are set before the start. A signal during the start then still closes every part.
  const signalled = new Promise<string>((resolve) => {
    const onSignal = (name: string) => {
      for (const each of signals) process.once(each, () => process.exit(1));
      resolve(name);
    };
    for (const name of signals) process.once(name, onSignal);
    const parent = {
      env: process.env,
      parentId: () => process.ppid,
      firstParentId,
      clock: systemPlatform.clock,
    };
    stopWatching = watchNpx(parent, () => onSignal("npx has ended"));
  });
  try {
    const running = await startService(settings, log, (secret) => (digest = createSessionDigest(secret)));
    console.log(running.banner);
    log.info(`${await signalled}: finishing what is under way`);
    await running.stop();
  } finally {
    stopWatching();
  }
  stopLogging();
}
