import { isHoldfastError } from "../core/errors.ts";
import { readPolicyFile } from "../gateway/policy-file.ts";
import type { PathPolicy } from "../gateway/policy.ts";
import { readIssuerOrTenants, type IssuerSettings } from "../guard/issuer-settings.ts";
import type { TrustedIssuer } from "../guard/types.ts";
import { httpAddress } from "../server/http/listen.ts";
import { noGuardFile, readGuardFile, type GuardFile } from "../server/guard-file.ts";
import { findProcesses, type FoundProcess } from "../server/maintenance/process-client.ts";
import { readNetworkEnvironment, type NetworkEnvironment } from "../server/network-environment.ts";
import { trustedProvider, type ServiceIdentity } from "../server/service.ts";
import type { SettingsReport } from "../server/settings-report.ts";
import type { Settings } from "../server/settings.ts";
import { localFiles, type LocalFiles } from "../server/store/local-store.ts";
import { readPrivateFile } from "../server/store/private-file.ts";
import { ProviderProbe } from "./provider-probe.ts";
import { RedisProbe } from "./redis-probe.ts";
import { SqliteProbe } from "./sqlite-probe.ts";
import { findOtherSettings, type OtherSettings } from "./running-settings.ts";
import type { StoreProbe } from "./store-probe.ts";

/** The checks begin after this time at the latest, so that the report does not take too long. */
const FIND_TIMEOUT_MS = 2500;

/** The options of the command. */
export interface DoctorOptions {
  /** The base addresses of services with which a throw-away user goes through a session. */
  readonly write: readonly string[];
  /** A token of a provider, with which an outage is rehearsed. */
  readonly rehearse: string | undefined;
  /** An address that a proxy in front of the gateway guards. */
  readonly through: string | undefined;
  /** A file of alert rules. */
  readonly rules: string | undefined;
}

/** The surroundings of the checks. They are read once, before the checks begin. */
export interface DoctorContext {
  readonly options: DoctorOptions;
  readonly given: SettingsReport["given"];
  readonly settings: Settings;
  readonly identity: ServiceIdentity;
  readonly files: LocalFiles;
  readonly network: NetworkEnvironment;
  /** `null` when the file cannot be used. `fileProblems` has the reason. */
  readonly policy: PathPolicy | undefined | null;
  readonly fileProblems: readonly string[];
  /** The issuers that the service trusts beside itself, as options of a guard. */
  readonly trusted: readonly TrustedIssuer[];
  /** The same, to ask them. */
  readonly providers: readonly ProviderProbe[];
  /** The embedded store. `null` when the store is in Redis. */
  readonly sqlite: SqliteProbe | null;
  /** `null` when the store is the embedded one. */
  readonly redis: RedisProbe | null;
  /** The store that is used. */
  readonly store: StoreProbe;
  /** The options of the guard in the file of HOLDFAST_GUARD. */
  readonly guardOptions: GuardFile["options"];
  /** The processes of the service that announced themselves on this machine. */
  readonly processes: readonly FoundProcess[];
  /** The processes that run with other settings than those of this command. */
  readonly otherSettings: readonly OtherSettings[];
  /** The token of the admin listener. `null` when it needs none, or when this user cannot read it. */
  readonly adminToken: string | null;
}

/** Reads the surroundings of the checks. A file that cannot be used is a problem to report, and the other parts remain. */
export async function loadContext(
  settings: Settings,
  given: SettingsReport["given"],
  options: DoctorOptions,
): Promise<DoctorContext> {
  const files = localFiles(settings.dataDir);
  const identity = expectIdentity(settings);
  const fileProblems: string[] = [];
  const orProblem = async <T>(read: () => Promise<T>, otherwise: T): Promise<T> => {
    try {
      return await read();
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      fileProblems.push(error.message);
      return otherwise;
    }
  };
  const { policyFile, guardFile: guardFileName } = settings;
  const policy = await orProblem<PathPolicy | undefined | null>(
    async () => (policyFile === undefined ? undefined : await readPolicyFile(policyFile)),
    null,
  );
  const guardFile = await orProblem(
    async () => await readGuardFile(guardFileName, identity.audience),
    noGuardFile,
  );
  const [processes, adminToken] = await Promise.all([
    findProcesses(files.processes, FIND_TIMEOUT_MS),
    readAdminToken(settings, files),
  ]);
  const otherSettings = await findOtherSettings(settings, processes, adminToken);
  const trusted = listTrusted(settings, identity, guardFile);
  const redis = settings.redis === undefined ? null : new RedisProbe(settings.redis);
  const sqlite = redis === null ? new SqliteProbe(files.data) : null;
  return {
    options,
    given,
    settings,
    identity,
    files,
    network: readNetworkEnvironment(),
    policy,
    fileProblems,
    trusted,
    providers: readProviders(trusted).map((one) => new ProviderProbe(one)),
    sqlite,
    redis,
    store: redis ?? sqlite ?? new SqliteProbe(files.data),
    guardOptions: guardFile.options,
    processes,
    otherSettings,
    adminToken,
  };
}

/** The identity that a service with these settings has. A port of 0 is not known before the start. */
function expectIdentity({ url, audience, host, port }: Settings): ServiceIdentity {
  const name = ["0.0.0.0", "::"].includes(host) ? "localhost" : host;
  const expected = url ?? httpAddress(name, port);
  return { url: expected, audience: audience ?? expected };
}

function listTrusted(
  { provider }: Settings,
  { audience }: ServiceIdentity,
  guardFile: GuardFile,
): readonly TrustedIssuer[] {
  return [...(provider === undefined ? [] : [trustedProvider(provider, audience)]), ...guardFile.issuers];
}

function readProviders(trusted: readonly TrustedIssuer[]): readonly IssuerSettings[] {
  return trusted.flatMap((one, index) => readIssuerOrTenants(`issuers[${index}]`, one).issuers);
}

async function readAdminToken({ adminToken }: Settings, files: LocalFiles): Promise<string | null> {
  if (adminToken !== undefined) return adminToken;
  return await readPrivateFile(files.adminToken).catch(() => null);
}
