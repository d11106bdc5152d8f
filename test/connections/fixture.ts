import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import {
  createConnections,
  type ConnectionHandle,
  type Connections,
  type ConnectionsOptions,
  type SocketTransport,
} from "../../src/connections/index.ts";
import { createGuard, staticKeys, type Guard, type GuardOptions, type Rules } from "../../src/index.ts";
import { createMint, FakeClock, type Mint } from "../../src/testing/index.ts";

export const issuer = "https://id.example";
export const audience = "https://api.example";

/** A transport that records each call. */
export class TestTransport implements SocketTransport {
  readonly sent: Record<string, unknown>[] = [];
  readonly delivered: unknown[] = [];
  closed: { code: number; error: string; retryAfter: number | undefined } | null = null;
  closings = 0;
  isOpened = false;
  isPaused = false;

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Record<string, unknown>);
  }
  close(code: number, reason: string): void {
    assert.ok(Buffer.byteLength(reason) <= 123, reason);
    const { error, retry_after } = JSON.parse(reason) as { error: string; retry_after?: number };
    this.closed = { code, error, retryAfter: retry_after };
    this.closings++;
  }
  deliver(message: unknown): void {
    this.delivered.push(message);
  }
  opened(): void {
    this.isOpened = true;
  }
  pause(): void {
    this.isPaused = true;
  }
  resume(): void {
    this.isPaused = false;
  }

  get code(): number | null {
    return this.closed?.code ?? null;
  }

  get last(): Record<string, unknown> | undefined {
    return this.sent.at(-1);
  }
}

export interface Fixture {
  readonly clock: FakeClock;
  readonly mint: Mint;
  readonly guard: Guard;
  readonly connections: Connections;
}

/** A guard and its connections on a virtual clock. */
export async function setUp(
  options: Omit<ConnectionsOptions, "guard"> = {},
  guardOptions: Partial<GuardOptions> = {},
): Promise<Fixture> {
  const clock = new FakeClock();
  const mint = await createMint({ issuer, audience, lifetimeMs: 600_000, clock });
  const keys = staticKeys(mint.jwks());
  const guard = createGuard({ issuer, audience, keys, clock, ...guardOptions } as GuardOptions);
  const connections = createConnections({ guard, clock, random: () => 0.5, ...options });
  return { clock, mint, guard, connections };
}

/** A guard that holds each admission until the test releases it. */
export function holdAdmissions(guard: Guard): {
  guard: Guard;
  pendingCount: () => number;
  /** Releases the oldest held admission. Resolves when it is decided. */
  releaseFirst: () => Promise<unknown>;
  /** Releases the newest held admission. */
  releaseLast: () => Promise<unknown>;
} {
  const gates: (() => Promise<unknown>)[] = [];
  return {
    guard: {
      ...guard,
      admit: async (...asked) => {
        const opens = Promise.withResolvers<void>();
        const decision = opens.promise.then(async () => await guard.admit(...asked));
        gates.push(async () => {
          opens.resolve();
          await decision;
        });
        return await decision;
      },
    },
    pendingCount: () => gates.length,
    releaseFirst: async () => await gates.shift()?.(),
    releaseLast: async () => await gates.pop()?.(),
  };
}

/** Creates the connections of a guard, and closes them when the test ends. */
export function createTestConnections(
  t: TestContext,
  guard: Guard,
  clock: FakeClock,
  options: Omit<ConnectionsOptions, "guard"> = {},
): Connections {
  const connections = createConnections({ guard, clock, random: () => 0.5, ...options });
  t.after(async () => await connections.close());
  return connections;
}

/** Opens a connection with this token. */
export async function openConnection(
  connections: Connections,
  token: string,
  rules: Rules = {},
  transport: TestTransport = new TestTransport(),
): Promise<{ transport: TestTransport; connection: ConnectionHandle }> {
  const admission = await connections.admit(token, rules);
  assert.ok(admission.status === "admitted", JSON.stringify(admission));
  const connection = connections.open(transport, admission, rules);
  assert.equal(connection.state, "open");
  return { transport: transport, connection };
}

/** Returns the message that presents a token. */
export function tokenMessage(token: string): string {
  return JSON.stringify({ type: "auth.token", token });
}
