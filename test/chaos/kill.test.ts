import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { login, refresh, refreshed, verify, type Tokens } from "../support/auth-calls.ts";
import { startService, type ServiceProcess } from "../support/service-process.ts";

const ROUNDS = 100;
const SESSIONS = 8;

/** One client: what it holds is what it last received, as in real life. */
class Client {
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
}

test(`fault 40: after kill -9 at a random point of a rotation, ${ROUNDS} times, every session is usable and none forks`, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-kill-"));
  const data = join(folder, "data");
  const running = new Set<ServiceProcess>();
  const start = async () => {
    const service = await startService(data);
    running.add(service);
    return service;
  };
  const kill = async (service: ServiceProcess) => {
    running.delete(service);
    return await service.stop("SIGKILL");
  };
  t.after(async () => {
    await Promise.all([...running].map(kill));
    await rm(folder, { recursive: true, force: true });
  });

  let service = await start();
  const clients: Client[] = [];
  for (let n = 0; n < SESSIONS; n++) clients.push(new Client(await login(service.url)));

  for (let round = 0; round < ROUNDS; round++) {
    // Mostly the one that takes over runs already, and both are on the file for a moment. Every fourth time nobody
    // is left, and the next one finds the file as the dead one left it.
    const alone = round % 4 === 0;
    const standby = alone ? null : start();
    const attempts = clients.map((client) => client.attempt(service.url));
    // A busy loop: timers are too coarse for a rotation that takes a millisecond.
    const moment = performance.now() + Math.random() * 25;
    while (performance.now() < moment) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(await kill(service), "SIGKILL");
    await Promise.all(attempts);
    service = await (standby ?? start());
    for (const client of clients) {
      const before = client.tokens;
      client.tokens = await refreshed(service.url, before.refresh_token);
      assert.equal(client.tokens.session_id, before.session_id);
    }
  }

  const lost = clients.reduce((sum, client) => sum + client.lost, 0);
  t.diagnostic(`${lost} of ${ROUNDS * SESSIONS} answers were lost to the kills`);
  assert.ok(lost > 0, "the kills hit no rotation: the test proves nothing");
  for (const client of clients) {
    assert.equal(await verify(service.url, client.tokens.access_token), 200);
    const again = await Promise.all(
      [1, 2, 3].map(async () => await refreshed(service.url, client.tokens.refresh_token)),
    );
    assert.equal(new Set(again.map((tokens) => tokens.refresh_token)).size, 1);
  }
});
