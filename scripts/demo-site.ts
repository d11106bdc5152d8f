import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { WebSocket, WebSocketServer } from "ws";
import { protect } from "../src/adapters/ws.ts";
import { createConnections } from "../src/connections/index.ts";
import { createGuard, introspection, jwks } from "../src/index.ts";
import { createProvider, type Provider } from "../src/testing/index.ts";
import { directEntrance, kinds, Users, type Kind } from "../test/support/faults/users.ts";
import { startService, type ServiceProcess } from "../test/support/service-process.ts";

const AUDIENCE = "https://api.example";
const SOCKETS = 20;
const ROUND_MS = 250;

/** What can be pulled. `restore` of the provider puts everything back. */
export const plugs = ["authority", "keys", "provider"] as const;
export type Plug = (typeof plugs)[number];

/** Answers since the last call of `takeCounts`. */
export type DemoCounts = Readonly<Record<Kind, { readonly passed: number; readonly failed: number }>>;

/** A provider with a plug to pull, two services on one store, an application with sockets, and users of all of them. */
export interface DemoSite {
  readonly services: readonly ServiceProcess[];
  readonly pull: (plug: Plug) => void;
  readonly putBack: () => void;
  readonly openSockets: () => number;
  readonly takeCounts: () => DemoCounts;
  /** The sentence at the top of the dashboard of the first service. */
  readonly headline: () => Promise<string>;
  /** Ends everything that was started. */
  readonly stop: () => Promise<void>;
}

export async function startDemo(): Promise<DemoSite> {
  const parts: (() => unknown)[] = [];
  const stop = async () => {
    for (const part of parts.splice(0).toReversed()) await part();
  };
  try {
    const folder = await mkdtemp(join(tmpdir(), "holdfast-demo-"));
    parts.push(async () => await rm(folder, { recursive: true, force: true }));
    const provider = await createProvider({ audience: AUDIENCE });
    await provider.listen();
    parts.push(async () => await provider.close());
    const services = await startServices(join(folder, "data"), provider, parts);
    const sockets = await openSockets(provider, parts);
    const counts = await startTraffic(services, provider, parts);
    const [first] = services;
    return {
      services,
      pull(plug) {
        const fault = { hang: true };
        if (plug !== "keys") provider.fault("introspection", fault);
        if (plug !== "authority") provider.fault("jwks", fault);
      },
      putBack: () => provider.restore("all"),
      openSockets: sockets,
      takeCounts: counts,
      async headline() {
        const health = (await (await fetch(`${first?.admin}/health`)).json()) as {
          headline: { text: string };
        };
        return health.headline.text;
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Starts two services on one store. Both allow degraded mode, so that an outage of the authority is bridged. */
async function startServices(
  dataDir: string,
  provider: Provider,
  parts: (() => unknown)[],
): Promise<readonly ServiceProcess[]> {
  const services: ServiceProcess[] = [];
  for (let i = 0; i < 2; i++) {
    const service = await startService(dataDir, {
      HOLDFAST_AUDIENCE: AUDIENCE,
      HOLDFAST_TRUSTED_PROXIES: "127.0.0.1",
      HOLDFAST_PROVIDER_ISSUER: provider.issuer,
      HOLDFAST_AUTHORITY_URL: provider.url("introspection"),
      HOLDFAST_AUTHORITY_CLIENT: `${provider.clientId}:${provider.clientSecret}`,
      ALLOW_DEGRADED_AUTH: "local",
    });
    parts.push(async () => await service.stop());
    services.push(service);
  }
  return services;
}

/** Opens sockets to an application whose guard asks the provider. Returns a function that counts the open ones. */
async function openSockets(provider: Provider, parts: (() => unknown)[]): Promise<() => number> {
  const guard = createGuard({
    issuer: provider.issuer,
    audience: AUDIENCE,
    keys: jwks(provider.url("jwks")),
    authority: introspection({
      url: provider.url("introspection"),
      clientId: provider.clientId,
      clientSecret: provider.clientSecret,
    }),
    degraded: "local",
    warnings: false,
  });
  parts.push(async () => await guard.close());
  const connections = createConnections({ guard });
  parts.push(async () => await connections.close());
  const server = createServer().on(
    "upgrade",
    protect(connections, {}, new WebSocketServer({ noServer: true })),
  );
  await once(server.listen(0, "127.0.0.1"), "listening");
  parts.push(
    () => server.closeAllConnections(),
    async () => await server[Symbol.asyncDispose](),
  );
  const { port } = server.address() as AddressInfo;
  const sockets = Array.from({ length: SOCKETS }, (_, i) => {
    const headers = { authorization: `Bearer ${provider.token({ sub: `socket-${i}` })}` };
    return new WebSocket(`ws://127.0.0.1:${port}`, { headers });
  });
  parts.push(() => {
    for (const socket of sockets) socket.terminate();
  });
  await Promise.all(sockets.map(async (socket) => await once(socket, "open")));
  return () => sockets.filter(({ readyState }) => readyState === WebSocket.OPEN).length;
}

/** Lets users of each service ask for everything, until the demo ends. Returns a function that takes the counts. */
async function startTraffic(
  services: readonly ServiceProcess[],
  provider: Provider,
  parts: (() => unknown)[],
): Promise<() => DemoCounts> {
  const empty = () => Object.fromEntries(kinds.map((kind) => [kind, { passed: 0, failed: 0 }]));
  let counts = empty();
  const over = new AbortController();
  const all = await Promise.all(
    services.map(
      async (service) => await Users.logIn(directEntrance({ issuer: service, gateway: service }), provider),
    ),
  );
  const run = async (users: Users) => {
    while (!over.signal.aborted) {
      const [passed] = await Promise.all([users.askAll(), pause(ROUND_MS)]);
      for (const kind of kinds) {
        const count = counts[kind];
        if (count !== undefined) count[passed[kind] ? "passed" : "failed"]++;
      }
    }
  };
  const running = Promise.all(all.map(run));
  parts.push(async () => {
    over.abort();
    await running;
  });
  return () => {
    const taken = counts as DemoCounts;
    counts = empty();
    return taken;
  };
}
