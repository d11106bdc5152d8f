import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { verify } from "../support/auth-calls.ts";
import { hasOneSuccessor, killRounds } from "../support/kill-rounds.ts";
import { startService, type ServiceProcess } from "../support/service-process.ts";

const ROUNDS = 100;
const SESSIONS = 8;

test(`fault 40: after kill -9 at a random point of a rotation, ${ROUNDS} times, every session is usable and none forks`, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-kill-"));
  const started: ServiceProcess[] = [];
  const start = async () => {
    const service = await startService(join(folder, "data"));
    started.push(service);
    return service;
  };
  t.after(async () => {
    await Promise.all(started.map(async (service) => await service.stop("SIGKILL")));
    await rm(folder, { recursive: true, force: true });
  });

  const rounds = { start, rounds: ROUNDS, sessions: SESSIONS, random: Math.random };
  const { service, clients, lost } = await killRounds(rounds);
  t.diagnostic(`${lost} of ${ROUNDS * SESSIONS} answers were lost to the kills`);
  assert.ok(lost > 0, "the kills hit no rotation: the test proves nothing");
  for (const client of clients) {
    assert.equal(await verify(service.url, client.tokens.access_token), 200);
    await hasOneSuccessor(service.url, client);
  }
});
