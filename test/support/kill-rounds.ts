import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { login, refresh, refreshOrFail, type Tokens } from "./auth-calls.ts";
import type { ServiceProcess } from "./service-process.ts";

/** How long a store that was killed may be missed after it is back. */
const RECOVERY_MS = 20_000;

export interface KillRoundsOptions {
  readonly start: () => Promise<ServiceProcess>;
  readonly rounds: number;
  readonly sessions: number;
  /** From 0 to 1. */
  readonly random: () => number;
  /** A store that is a process of its own is killed in every second round, instead of the service. */
  readonly store?: { kill(): Promise<void>; up(): Promise<void> } | undefined;
  readonly onRound?: (round: number) => void;
}

export interface KillRoundsResult {
  readonly service: ServiceProcess;
  readonly clients: readonly Client[];
  /** Answers that the kills took away. */
  readonly lost: number;
}

/** One client: what it holds is what it last received, as in real life. */
export class Client {
  tokens: Tokens;
  lost = 0;

  constructor(tokens: Tokens) {
    this.tokens = tokens;
  }

  /** Refreshes against a service that may die; a lost answer leaves the old token in hand. */
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

  /** Must succeed as soon as the store is back, in the same session. */
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

/** Kills with SIGKILL at random points of rotations, and holds every session usable after each. */
export async function runKillRounds(options: KillRoundsOptions): Promise<KillRoundsResult> {
  const { start, store, random } = options;
  let service = await start();
  const clients: Client[] = [];
  for (let n = 0; n < options.sessions; n++) clients.push(new Client(await login(service.url)));

  for (let round = 0; round < options.rounds; round++) {
    options.onRound?.(round);
    const killsStore = store !== undefined && round % 2 === 1;
    // Mostly the one that takes over runs already, and both are on the store for a moment. Every fourth time nobody
    // is left, and the next one finds the store as the dead one left it.
    const standby = killsStore || round % 4 === 0 ? null : start();
    const attempts = clients.map(async (client) => await client.attempt(service.url));
    // A busy loop: timers are too coarse for a rotation that takes a millisecond.
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

/** Asked three times at once, the session has one successor: nothing forked. */
export async function assertOneSuccessor(base: string, { tokens }: Client): Promise<void> {
  const again = await Promise.all([1, 2, 3].map(async () => await refreshOrFail(base, tokens.refresh_token)));
  assert.equal(new Set(again.map((one) => one.refresh_token)).size, 1);
}
