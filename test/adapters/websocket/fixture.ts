import type { TestContext } from "node:test";
import type { ProtectOptions } from "../../../src/adapters/ws.ts";
import {
  createConnections,
  type Connection,
  type Connections,
  type ConnectionsOptions,
} from "../../../src/connections/index.ts";
import { createGuard, introspection, jwks, type Guard, type GuardOptions } from "../../../src/index.ts";
import { memoryStore } from "../../../src/stores/memory.ts";
import { createProvider, FakeClock, type Provider } from "../../../src/testing/index.ts";

/** A connection, as the application has it on any library. */
export interface Peer {
  readonly auth: Connection;
  /** The URL of the request that the application gets. */
  readonly url: string;
  readonly protocol: string;
  send(data: string | Buffer): void;
}

/** The handlers of an application. */
export interface Application {
  opened?(peer: Peer): void;
  received?(peer: Peer, data: string | Buffer): void;
  closed?(peer: Peer, code: number): void;
}

export interface Serving {
  readonly port: number;
  /** Returns the output of the library's own logger. */
  readonly log: () => string;
}

/** A WebSocket library. */
export interface Library {
  readonly name: string;
  /** Whether a refusal has a body. */
  readonly hasBodies: boolean;
  /** The library's `protect`, for tests of its checks. */
  readonly protect: (connections: unknown, options: unknown) => Promise<unknown>;
  /** Serves the application on `/chat`, with the subprotocol `chat`. */
  serve(
    t: TestContext,
    connections: Connections,
    options: ProtectOptions,
    application: Application,
  ): Promise<Serving>;
}

export const audience = "https://api.example.com";

export interface Fixture {
  readonly clock: FakeClock;
  readonly provider: Provider;
  readonly guard: Guard;
  readonly connections: Connections;
  /** Revokes all tokens of a subject. */
  readonly revoke: (subject: string) => Promise<void>;
}

/** Creates a guard and its connections, with a provider in this process and a fake clock. */
export async function setUp(
  t: TestContext,
  options: Omit<ConnectionsOptions, "guard"> & { hasAuthority?: boolean; guard?: Partial<GuardOptions> } = {},
): Promise<Fixture> {
  const { hasAuthority = false, guard: guardOptions, ...more } = options;
  const clock = new FakeClock();
  const provider = await createProvider({ audience, clock });
  const { clientId, clientSecret, fetch, issuer } = provider;
  const log = memoryStore({ clock }).revocations;
  const authority = introspection({ url: provider.url("introspection"), clientId, clientSecret, fetch });
  const guard = createGuard({
    issuer,
    audience,
    keys: jwks(provider.url("jwks"), { fetch }),
    revocations: log,
    degraded: "local",
    clock,
    random: () => 0.5,
    ...(hasAuthority && { authority }),
    ...guardOptions,
  } as GuardOptions);
  const connections = createConnections({ guard, clock, random: () => 0.5, ...more });
  t.after(async () => {
    await connections.close();
    await guard.close();
  });
  await guard.ready();
  provider.resetCounts();
  const until = () => clock.now() + 3_600_000;
  const revoke = async (id: string) => {
    await log.append({ kind: "subject", id, before: Math.floor(clock.now() / 1000), issuer, until: until() });
  };
  return { clock, provider, guard, connections, revoke };
}

/** Sends every message back. */
export const echo: Application = { received: (peer, data) => peer.send(data) };
