import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { login, post, refresh, refreshOrFail, measureUntil, verify } from "../support/auth-calls.ts";
import { serviceEnvironment, startService, type ServiceProcess } from "../support/service-process.ts";
import { cli } from "../support/cli.ts";

/*
 * The outage: two instances of one token manager, one on the shared store, the other silently in its own memory.
 * Tokens were written to one and looked up in the other. Every refresh was refused, and all users were logged out.
 */
describe("failure 3: two instances, one of them silently on another store", () => {
  let folder = "";
  let data = "";
  let services: ServiceProcess[] = [];
  const startBoth = async () => {
    services = await Promise.all([1, 2].map(async () => await startService(data)));
    return services.map((service) => service.url) as [string, string];
  };
  const stopBoth = async () => {
    const codes = await Promise.all(services.map(async (service) => await service.stop()));
    services = [];
    return codes;
  };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "holdfast-failure-3-"));
    data = join(folder, "data");
  });
  after(async () => {
    await stopBoth();
    await rm(folder, { recursive: true, force: true });
  });

  test("law 4: one process refreshes and revokes the tokens of the other, before and after a restart of both", async () => {
    let [one, other] = await startBoth();
    for (const service of services) assert.match(service.output(), /sqlite .*holdfast\.db/);
    const kept = await login(one);
    const ended = await login(other);
    const refreshedByOther = await refreshOrFail(other, kept.refresh_token);
    assert.equal(await verify(one, refreshedByOther.access_token), 200);
    assert.equal((await post(one, "/auth/logout", { refresh_token: ended.refresh_token })).status, 204);

    assert.deepEqual(await stopBoth(), [0, 0]);
    [one, other] = await startBoth();
    const afterRestart = await refreshOrFail(one, refreshedByOther.refresh_token);
    assert.equal(await verify(other, afterRestart.access_token), 200);
    assert.equal((await refresh(other, ended.refresh_token)).status, 400);
    assert.equal(await verify(one, ended.access_token), 401);
    assert.equal(
      (await post(other, "/auth/logout", { refresh_token: afterRestart.refresh_token })).status,
      204,
    );
    const seen = await measureUntil(async () => (await verify(one, afterRestart.access_token)) === 401, 5000);
    assert.notEqual(seen, Number.POSITIVE_INFINITY);
    assert.equal((await refresh(one, afterRestart.refresh_token)).status, 400);
  });

  const refused = (name: string, settings: Record<string, string>, complaint: RegExp) => {
    test(`law 4: the service refuses to start with ${name}, and no other store takes its place`, async () => {
      const place = join(folder, "elsewhere");
      await mkdir(place, { recursive: true });
      await writeFile(join(folder, "a-file"), "not a directory");
      const run = spawnSync(process.execPath, [cli, "serve"], {
        cwd: place,
        env: serviceEnvironment(join(place, "data"), settings),
        encoding: "utf8",
        timeout: 20_000,
      });
      assert.equal(run.signal, null, "it went on running");
      assert.notEqual(run.status, 0);
      assert.match(run.stderr, complaint);
      assert.doesNotMatch(run.stdout + run.stderr, /\n\s+at |listening|http:\/\/127\.0\.0\.1:\d/);
      assert.deepEqual(await readdir(place), []);
    });
  };
  refused(
    "a store that this version does not have",
    { HOLDFAST_STORE: "redis" },
    /HOLDFAST_STORE.*redis|redis.*HOLDFAST_STORE/s,
  );
  refused("a data directory that cannot be used", { HOLDFAST_DATA_DIR: "../a-file" }, /a-file/);
  refused("a misspelt setting", { HOLDFAST_STOER: "sqlite" }, /HOLDFAST_STOER.*HOLDFAST_STORE/s);
});
