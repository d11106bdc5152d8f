import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { login, refresh, refreshOrFail, type Tokens } from "./auth-calls.ts";
import type { ServiceProcess } from "./service-process.ts";

/** How long the service may need after a killed store is back. */
const RECOVERY_MS = 20_000;

export interface KillRoundsOptions {
  readonly start: () => Promise<ServiceProcess>;
  readonly rounds: number;
  readonly sessions: number;
  /** Returns a number from 0 to 1. */
  readonly random: () => number;
  /** A store in a separate process is killed in every second round instead of the service. */
  readonly store?: { kill(): Promise<void>; up(): Promise<void> } | undefined;
  readonly onRound?: (round: number) => void;
}

export interface KillRoundsResult {
  readonly service: ServiceProcess;
  readonly clients: readonly Client[];
  /** The number of responses that were lost in the kills. */
  readonly lost: number;
}

/** A client that holds the tokens of the last response it received. */
export class Client {
  tokens: Tokens;
  lost = 0;

  constructor(tokens: Tokens) {
    this.tokens = tokens;
  }

  /** Refreshes against a service that may be killed. After a lost response the client keeps its old token. */
  async attempt(base: string): Promise<void> {
    try {
      const response = await refresh(base, this.tokens.refresh_token);
      assert.ok([200, 503].includes(response.status), `refresh answered ${response.status}`);
      if (response.status === 200) this.tokens = (await response.json()) as Tokens;
      else await response.arrayBuffer();
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      this.lost++;
    }
  }

  /** Refreshes until the store is back, and requires success in the same session. */
  async recover(base: string): Promise<void> {
    const { refresh_token: token, session_id: session } = this.tokens;
    for (const start = performance.now(); performance.now() - start < RECOVERY_MS; await pause(20)) {
      const response = await refresh(base, token);
      if (response.status !== 503) {
        assert.equal(response.status, 200);
        this.tokens = (await response.json()) as Tokens;
        assert.equal(this.tokens.session_id, session);
        return;
      }
      await response.arrayBuffer();
    }
    assert.fail(`still 503 after ${RECOVERY_MS} ms`);
  }
}

/** Sends SIGKILL at random points of rotations, and requires every session to be usable after each kill. */
export async function runKillRounds(options: KillRoundsOptions): Promise<KillRoundsResult> {
  const { start, store, random } = options;
  let service = await start();
  const clients: Client[] = [];
  for (let n = 0; n < options.sessions; n++) clients.push(new Client(await login(service.url)));

  for (let round = 0; round < options.rounds; round++) {
    options.onRound?.(round);
    const killsStore = store !== undefined && round % 2 === 1;
    // In most rounds a standby already runs, and both use the store for a moment. In every fourth round the next
    // instance starts after the kill, and finds the store as the killed one left it.
    const standby = killsStore || round % 4 === 0 ? null : start();
    const attempts = clients.map(async (client) => await client.attempt(service.url));
    // The loop is busy because timers are too coarse for a rotation that takes a millisecond.
    const moment = performance.now() + random() * 25;
    while (performance.now() < moment) await new Promise((resolve) => setImmediate(resolve));
    if (killsStore) await store.kill();
    else assert.equal(await service.stop("SIGKILL"), "SIGKILL");
    await Promise.all(attempts);
    if (killsStore) await store.up();
    else service = await (standby ?? start());
    for (const client of clients) await client.recover(service.url);
  }
  return { service, clients, lost: clients.reduce((sum, client) => sum + client.lost, 0) };
}

/** Requires three concurrent refreshes to return the same successor, which shows that the session has not forked. */
export async function assertOneSuccessor(base: string, { tokens }: Client): Promise<void> {
  const again = await Promise.all([1, 2, 3].map(async () => await refreshOrFail(base, tokens.refresh_token)));
  assert.equal(new Set(again.map((one) => one.refresh_token)).size, 1);
}
