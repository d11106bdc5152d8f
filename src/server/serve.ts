import { fileSnapshots } from "../stores/file-snapshots.ts";
import { adminApp } from "./http/admin-app.ts";
import { toRequestListener } from "./http/request-listener.ts";
import { ensureFirstUser } from "./first-user.ts";
import { readPolicyFile } from "../gateway/policy-file.ts";
import { createGateway, isVerifyRequest } from "../gateway/gateway.ts";
import { httpAddress, listen, type Listener } from "./http/listen.ts";
import { openStore } from "./store/open-store.ts";
import { createLogger, logEvents } from "./logs.ts";
import { publicApp } from "./http/public-app.ts";
import { composeService, recordIdentity, type ServiceIdentity, type Service } from "./service.ts";
import { readSettings, type Settings } from "./settings.ts";
import { version } from "./version.ts";

export interface RunningService {
  /** Addresses as bound. */
  readonly publicAddress: string;
  readonly adminAddress: string;
  /** What a person should read at start: store, addresses, where the first password is. */
  readonly banner: string;
  /** Finishes what is under way and closes everything. */
  readonly stop: () => Promise<void>;
}

const ADMIN_HOST = "127.0.0.1";
const signals = ["SIGTERM", "SIGINT"] as const;

/** Starts the whole service. What cannot start is refused with nothing left open. */
export async function startService(settings: Settings): Promise<RunningService> {
  const listeners: Listener[] = [];
  let service: Service | undefined;
  const stop = async () => {
    await Promise.all(listeners.splice(0).map(async (listener) => await listener.stop()));
    await service?.close();
  };
  try {
    const { policyFile, trustedProxies, roles } = settings;
    const policy = policyFile === undefined ? undefined : await readPolicyFile(policyFile);
    // Ports first: a second service by mistake is refused before it touches any data.
    const open = await listen(settings.host, settings.port, "HOLDFAST_PORT");
    listeners.push(open);
    const admin = await listen(ADMIN_HOST, settings.adminPort, "HOLDFAST_ADMIN_PORT");
    listeners.push(admin);

    const local = await openStore(settings, { create: true });
    const snapshots = fileSnapshots({ dir: local.files.snapshots });
    service = await composeService(local, settings, resolveIdentity(settings, open), { snapshots });
    const before = await recordIdentity(service.store, service);
    const first = roles.has("issuer")
      ? await ensureFirstUser(service.issuer, settings.bootstrapUser, local.files.password)
      : null;

    const verify = roles.has("gateway") ? createGateway(service.guard, { policy, trustedProxies }) : null;
    const others = toRequestListener(publicApp(service, settings).fetch);
    open.mount((req, res): unknown => (verify !== null && isVerifyRequest(req) ? verify : others)(req, res));
    admin.mount(toRequestListener(adminApp(service, admin.port).fetch));

    const lines = [`holdfast ${version}, store: ${service.store.description}`];
    lines.push(`  public  ${open.address}`, `  admin   ${admin.address}`);
    if (service.url !== open.address) lines.push(`  issuer  ${service.url}`);
    if (roles.size === 1) lines.push(`  role    ${[...roles].join()}`);
    if (policy !== undefined) lines.push(`  policy  ${policyFile}, rules: ${policy.length}`);
    if (first !== null) lines.push(`  ${first}`);
    if (before !== null) {
      lines.push(
        `  These data were served as ${before.url} for ${before.audience} before: access tokens of that name are`,
        "  refused from now on. Services that share data need the same HOLDFAST_URL and HOLDFAST_AUDIENCE.",
      );
    }
    return {
      publicAddress: open.address,
      adminAddress: admin.address,
      banner: lines.join("\n"),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Wildcard addresses are no place to be reached at. */
function resolveIdentity(settings: Settings, listener: Listener): ServiceIdentity {
  const host = ["0.0.0.0", "::"].includes(settings.host) ? "localhost" : settings.host;
  const url = settings.url ?? httpAddress(host, listener.port);
  return { url, audience: settings.audience ?? url };
}

/**
 * Runs the service as the environment says, until SIGTERM or SIGINT; a second one ends it at once. Resolves when
 * everything is closed.
 */
export async function serve(): Promise<void> {
  const settings = readSettings(process.env);
  const log = createLogger(settings.logLevel);
  const silence = logEvents(log);
  // Before the start, so that a signal during it is not lost and nothing is left half closed.
  const signalled = new Promise<string>((resolve) => {
    const heard = (name: string) => {
      for (const each of signals) process.once(each, () => process.exit(1));
      resolve(name);
    };
    for (const name of signals) process.once(name, heard);
  });
  const running = await startService(settings);
  console.log(running.banner);
  log.info(`${await signalled}: finishing what is under way`);
  await running.stop();
  silence();
}
