import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { login, refresh, refreshOrFail, verify, type Tokens } from "../support/auth-calls.ts";
import { startService, type ServiceProcess } from "../support/service-process.ts";

const ROUNDS = 5;
const PARALLEL = 100;

describe("two services on one SQLite file", () => {
  let folder = "";
  let services: ServiceProcess[] = [];
  const base = (n: number) => services[n % services.length]?.url ?? "";

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "holdfast-parallel-"));
    services = await Promise.all([1, 2].map(async () => await startService(join(folder, "data"))));
  });
  after(async () => {
    await Promise.all(services.map(async (service) => await service.stop()));
    await rm(folder, { recursive: true, force: true });
  });

  test(`fault 43, law 8: ${PARALLEL} parallel refreshes of one token over two processes yield one successor`, async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const first = await login(base(round));
      const answers = await Promise.all(
        Array.from({ length: PARALLEL }, async (_, n) => {
          const response = await refresh(base(n), first.refresh_token);
          return { status: response.status, body: (await response.json()) as Tokens };
        }),
      );
      const statuses = new Set(answers.map((answer) => answer.status));
      assert.ok(
        [...statuses].every((status) => [200, 409, 503].includes(status)),
        `statuses ${[...statuses].join()}`,
      );
      const successors = answers.filter((answer) => answer.status === 200).map((answer) => answer.body);
      assert.ok(successors.length > 0);
      assert.equal(new Set(successors.map((tokens) => tokens.refresh_token)).size, 1);

      const successor = successors[0] as Tokens;
      assert.equal(await verify(base(round + 1), successor.access_token), 200);
      const next = await refreshOrFail(base(round), successor.refresh_token);
      assert.equal(next.session_id, first.session_id);
      assert.equal((await refresh(base(round + 1), first.refresh_token)).status, 409);
      assert.equal(await verify(base(round), next.access_token), 200);
    }
  });

  test("law 8: two processes that use each other's successors in turn keep one session live", async () => {
    let tokens = await login(base(0));
    for (let turn = 1; turn <= 40; turn++) tokens = await refreshOrFail(base(turn), tokens.refresh_token);
    assert.equal(await verify(base(1), tokens.access_token), 200);
  });
});
