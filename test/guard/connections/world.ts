import {
  createConnections,
  type Connections,
  type ConnectionsOptions,
  type Line,
} from "../../../src/guard/connections.ts";
import { createGuard, staticKeys, type Guard, type GuardOptions } from "../../../src/index.ts";
import { createMint, FakeClock, type Mint } from "../../../src/testing/index.ts";

export const issuer = "https://id.example";
export const audience = "https://api.example";

/** The library's side of a connection, and what it was told. */
export class TestLine implements Line {
  readonly sent: Record<string, unknown>[] = [];
  readonly delivered: unknown[] = [];
  closed: { code: number; error: string; retryAfter: number | undefined } | null = null;
  isOpened = false;
  isPaused = false;

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Record<string, unknown>);
  }
  close(code: number, reason: string): void {
    const { error, retry_after } = JSON.parse(reason) as { error: string; retry_after?: number };
    this.closed = { code, error, retryAfter: retry_after };
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
}

export interface World {
  readonly clock: FakeClock;
  readonly mint: Mint;
  readonly guard: Guard;
  readonly connections: Connections;
}

/** A guard and its connections on a virtual clock. */
export async function world(
  options: Omit<ConnectionsOptions, "guard"> = {},
  guardOptions: Partial<GuardOptions> = {},
): Promise<World> {
  const clock = new FakeClock();
  const mint = await createMint({ issuer, audience, lifetimeMs: 600_000, clock });
  const keys = staticKeys(mint.jwks());
  const guard = createGuard({ issuer, audience, keys, clock, ...guardOptions } as GuardOptions);
  const connections = createConnections({ guard, clock, random: () => 0.5, ...options });
  return { clock, mint, guard, connections };
}

/** The message that presents a token. */
export function tokenMessage(token: string): string {
  return JSON.stringify({ type: "auth.token", token });
}
