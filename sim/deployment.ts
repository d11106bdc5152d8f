import type { HttpBindings } from "@hono/node-server";
import { HoldfastError } from "../src/core/errors.ts";
import { createGuard } from "../src/guard/create-guard.ts";
import { introspection } from "../src/guard/authority/introspection.ts";
import { jwks } from "../src/guard/keys/jwks.ts";
import { httpRevocations } from "../src/guard/revocations/http-feed.ts";
import type { Guard } from "../src/guard/types.ts";
import { HealthMonitor } from "../src/server/health/health-monitor.ts";
import type { ServiceHealth } from "../src/server/health/service-health.ts";
import { publicApp } from "../src/server/http/public-app.ts";
import { composeService, type Service } from "../src/server/service.ts";
import { noGuardFile, type GuardFile } from "../src/server/guard-file.ts";
import { readSettings, type Settings } from "../src/server/settings.ts";
import { localFiles } from "../src/server/store/local-store.ts";
import type { RevocationFeed, Snapshots, Store } from "../src/stores/store.ts";
import type { ProcessContext, SimulatedProcess, World } from "../src/testing/simulation/index.ts";
import { API_URL, AUTH_HOST, AUTH_URL, AUTHORITY_HOST, healthHost } from "./addresses.ts";
import { createFacts, serveApi, type ApiParts } from "./api.ts";
import { serveGateway } from "./gateway.ts";
import { SERVICE_VIEW_MS, TOLERANCE_MS, type Plan, type PlannedGuard } from "./plan.ts";
import { answerAsOlderVersion } from "./older/answers.ts";
import { toOlderView } from "./older/saved-views.ts";
import { withTimeout } from "./http.ts";
import type { Recorder } from "./recorder.ts";
import type { SocketHost } from "./sockets/socket-host.ts";
import type { SocketNetwork } from "./sockets/simulated-socket.ts";
import type { SimulatedDatabase } from "./stores/simulated-database.ts";

const SECRET = "a secret of the simulation that has 32 bytes";
const RESTART_MS = 2_000;
/** The file in which a service remembers its store. */
const STORE_ID = "store id";

const GUARD_CLIENT = { id: "guard", secret: "a secret of the simulated guards" };

/** How the authority answers. */
export type AuthorityMode = "ok" | "hang" | "503" | "html" | "slow";

/** The processes of a run. */
export interface Deployment {
  readonly services: readonly SimulatedProcess[];
  readonly guards: readonly SimulatedProcess[];
  /** The services that run now, for administrators. */
  readonly running: ReadonlyMap<string, Service>;
  /** The guards that run now, by the name of their process. */
  readonly runningGuards: ReadonlyMap<string, Guard>;
  /** The live connections of the processes that run now, by the name of the process. */
  readonly runningSockets: ReadonlyMap<string, SocketHost>;
  authority: AuthorityMode;
}

interface Surroundings {
  readonly world: World;
  readonly plan: Plan;
  readonly database: SimulatedDatabase;
  readonly recorder: Recorder;
  readonly sockets: SocketNetwork;
}

/** Starts the services, the guards and the authority of a run. */
export function deploy(surroundings: Surroundings): Deployment {
  const { world, plan } = surroundings;
  const running = new Map<string, Service>();
  const runningGuards = new Map<string, Guard>();
  const runningSockets = new Map<string, SocketHost>();
  const serve = (name: string, parts: Pick<ApiParts, "guard" | "bounds" | "process" | "context">) => {
    runningGuards.set(name, parts.guard);
    runningSockets.set(name, serveApi({ ...surroundings, ...parts }));
  };
  const deployment: Deployment = {
    services: plan.services.map((name) =>
      start(world, name, async (process, context) => {
        running.delete(name);
        const service = await startService(surroundings, process, context);
        running.set(name, service);
        const bounds = { guard: name, maxRevocationAgeMs: SERVICE_VIEW_MS, degraded: "deny" };
        const parts = { guard: service.guard, bounds, process, context };
        serve(name, parts);
        const { recorder } = surroundings;
        serveGateway({ ...parts, audience: API_URL, recorder, facts: createFacts(parts) });
      }),
    ),
    guards: plan.guards.map((planned) =>
      start(world, planned.name, async (process, context) => {
        const { name, maxRevocationAgeMs, degraded } = planned;
        const store = planned.readsStore ? await surroundings.database.connect(process, context) : null;
        const guard = startGuard(plan, planned, context, store?.revocations ?? logOverHttp(context));
        serve(name, { guard, bounds: { guard: name, maxRevocationAgeMs, degraded }, process, context });
      }),
    ),
    running,
    runningGuards,
    runningSockets,
    authority: "ok",
  };
  startAuthority(world, deployment);
  return deployment;
}

/** Creates a process that exits when it cannot start, and is started again, as a supervisor does. */
function start(
  world: World,
  name: string,
  program: (process: SimulatedProcess, context: ProcessContext) => Promise<void>,
): SimulatedProcess {
  const process: SimulatedProcess = world.process(name, async (context) => {
    try {
      await program(process, context);
    } catch (error) {
      if (!context.isAlive) return;
      world.record("start failed", { error: (error as Error).message });
      process.crash();
      world.after(RESTART_MS, () => process.start());
    }
  });
  return process;
}

function serviceSettings({ lifetimes }: Plan): Settings {
  const settings = readSettings({
    HOLDFAST_DATA_DIR: "/simulated",
    HOLDFAST_CLIENTS: `${GUARD_CLIENT.id}:${GUARD_CLIENT.secret}`,
  });
  const { algorithm: _, ...others } = settings.lifetimes;
  return { ...settings, lifetimes: { ...others, ...lifetimes, algorithm: "EdDSA" } };
}

async function startService(
  { plan, database, recorder }: Surroundings,
  process: SimulatedProcess,
  context: ProcessContext,
): Promise<Service> {
  const { clock, random, entropy, fetch, listen, name } = context;
  const settings = serviceSettings(plan);
  const store = await database.connect(process, context);
  if (plan.faults.some(({ kind }) => kind === "store loses writes")) await claimStore(store, context);
  const opened = {
    store,
    secret: SECRET,
    files: localFiles("/simulated"),
  };
  // The poll interval of the service cannot be configured. A longer one saves most of the steps of an idle hour.
  const options = { revocationPollMs: plan.servicePollMs } as GuardFile["options"];
  const service = await composeService(
    opened,
    settings,
    { url: AUTH_URL, audience: API_URL },
    {
      guardFile: { ...noGuardFile, options },
      snapshots: diskSnapshots(plan, context),
      clock,
      random,
      entropy,
      fetch,
    },
  );
  const health = new RememberedHealth(service, settings.roles);
  const app = publicApp(service, health, settings);
  listen(AUTH_HOST, async (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/passkey") return await beginSession(service, request);
    const bindings = { incoming: { socket: { remoteAddress: "192.0.2.1" } } } as HttpBindings;
    const answer = recorder.call("served", {
      service: name,
      path: pathname,
      ...(pathname === "/auth/refresh" && { presented: recorder.nameOf(await readRefreshToken(request)) }),
    });
    const fetchApp = async (one: Request) => await app.fetch(one, bindings);
    const isOlder = pathname === "/auth/revocations" && plan.olderServices.includes(name);
    const response = await (isOlder ? answerAsOlderVersion(fetchApp, request) : fetchApp(request));
    // An HTTP server adds it. It shows the clock of the service to the guards.
    response.headers.set("date", new Date(clock.now()).toUTCString());
    // The answer to a client that has gone says nothing about the service.
    if (!request.signal.aborted) answer({ status: response.status });
    return response;
  });
  listen(healthHost(name), async () => {
    const { status } = await app.fetch(new Request(`${AUTH_URL}/health/ready`));
    return new Response(JSON.stringify(health.last?.outcomes), { status });
  });
  return service;
}

/** Health whose latest check can be read, because the public answer does not tell its outcomes. */
class RememberedHealth extends HealthMonitor {
  last: ServiceHealth | null = null;

  override async check(): Promise<ServiceHealth> {
    return (this.last = await super.check());
  }
}

/** The refresh token of a request. The service reads the body for itself. */
async function readRefreshToken(request: Request): Promise<string> {
  const body = (await request.clone().json()) as { refresh_token?: string };
  return body.refresh_token ?? "";
}

/** As `holdfast serve` does, a service refuses to start on another store than the one that its machine used last. */
async function claimStore({ markers }: Store, { disk, entropy }: ProcessContext): Promise<void> {
  const known = disk.get(STORE_ID);
  if (known === undefined) await markers.claim("id", entropy.bytes(8).toString("hex"));
  const id = await markers.read("id");
  if (known !== undefined && id !== known)
    throw new HoldfastError("store_emptied", "the store is empty, or another one");
  disk.set(STORE_ID, String(id));
}

/** The application has authenticated the user by itself, so that no password has to be hashed. */
async function beginSession({ issuer }: Service, request: Request): Promise<Response> {
  const { user } = (await request.json()) as { user: string };
  const outcome = await issuer.beginSession({ subject: user, scopes: [], claims: {} });
  if (outcome.status === "ok") return Response.json(outcome.tokens);
  return Response.json({ error: outcome.status }, { status: outcome.status === "unavailable" ? 503 : 401 });
}

/** The revocation log of the services. */
function logOverHttp({ fetch, clock, random }: ProcessContext): RevocationFeed {
  return httpRevocations({
    url: `${AUTH_URL}/auth/revocations`,
    clientId: GUARD_CLIENT.id,
    clientSecret: GUARD_CLIENT.secret,
    fetch,
    clock,
    random,
  });
}

function startGuard(
  plan: Plan,
  planned: PlannedGuard,
  context: ProcessContext,
  revocations: RevocationFeed,
): Guard {
  const { clock, random, entropy, fetch } = context;
  const { name, revocationPollMs, maxRevocationAgeMs, degraded, memoryTtlMs } = planned;
  return createGuard({
    name,
    issuer: AUTH_URL,
    audience: API_URL,
    keys: jwks(`${AUTH_URL}/.well-known/jwks.json`, { fetch, freshMs: 60_000, coolDownMs: 2_000 }),
    revocations,
    ...(planned.hasAuthority && {
      authority: introspection({
        url: `https://${AUTHORITY_HOST}/introspect`,
        clientId: GUARD_CLIENT.id,
        clientSecret: GUARD_CLIENT.secret,
        fetch,
      }),
    }),
    ...(planned.hasSnapshots && { snapshots: diskSnapshots(plan, context) }),
    degraded,
    revocationPollMs,
    maxRevocationAgeMs,
    clockToleranceMs: TOLERANCE_MS,
    memory: { maxBytes: 1_000_000, ttlMs: memoryTtlMs },
    warnings: false,
    clock,
    random,
    entropy,
  });
}

/** Snapshots on the disk of the machine. In a run with upgrades, the version before has saved them. */
function diskSnapshots({ upgrades }: Plan, { disk, sleep, random }: ProcessContext): Snapshots {
  const read = (name: string) => JSON.parse(disk.get(name) ?? "null") as unknown;
  return {
    async load(name) {
      await sleep(1 + random() * 5);
      return upgrades.length > 0 ? toOlderView(name, read) : read(name);
    },
    async save(name, value) {
      const text = JSON.stringify(value);
      await sleep(2 + random() * 30);
      disk.set(name, text);
    },
  };
}

/** The authority passes each question on to a service, unless a fault holds. */
function startAuthority(world: World, deployment: Deployment): void {
  world.process("authority", ({ fetch, listen, sleep }) => {
    listen(AUTHORITY_HOST, async (request) => {
      const { authority: mode } = deployment;
      if (mode === "hang") return await new Promise<Response>(() => undefined);
      if (mode === "503") return new Response(null, { status: 503 });
      if (mode === "html") return new Response("<html>", { headers: { "content-type": "text/html" } });
      if (mode === "slow") await sleep(300);
      const { method, headers } = request;
      const init = { method, headers, body: await request.text() };
      const ask = async (signal: AbortSignal) =>
        await fetch(`${AUTH_URL}/oauth/introspect`, { ...init, signal });
      return await withTimeout(2_000, ask).catch(() => new Response(null, { status: 502 }));
    });
  });
}
