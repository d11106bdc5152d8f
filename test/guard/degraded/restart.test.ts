import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setImmediate } from "node:timers/promises";
import { fileSnapshots, jwks, type RevocationFeed } from "../../../src/index.ts";
import { memoryStore } from "../../../src/stores/memory.ts";
import { hour, degradedVerdict, makeFixture, minute, describeDecision } from "./fixture.ts";

async function folder(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "holdfast-degraded-"));
  t.after(async () => await rm(dir, { recursive: true, force: true }));
  return dir;
}

/** A log whose calls fail while `isOut` is true. */
function breakable(feed: RevocationFeed): { feed: RevocationFeed; isOut: boolean } {
  const unlessOut = async <T>(ask: () => Promise<T> | T) => {
    if (broken.isOut) throw new Error("out");
    return await ask();
  };
  const broken = {
    isOut: false,
    feed: {
      snapshot: async () => await unlessOut(async () => await feed.snapshot()),
      after: async (position) => await unlessOut(async () => await feed.after(position)),
      subscribe: () => () => {},
    } satisfies RevocationFeed,
  };
  return broken;
}

for (const mode of ["deny", "cached", "local"] as const) {
  test(`fault 37: after a restart during an outage of the provider, mode ${mode} ${mode === "local" ? "accepts tokens with the last good keys" : "answers unavailable"}`, async (t) => {
    const { guard, provider, clock } = await makeFixture(t);
    const keys = () => jwks(provider.url("jwks"), { fetch: provider.fetch });
    const dir = await folder(t);
    const snapshots = fileSnapshots({ dir });
    const [token, ended] = [provider.token(), provider.token({ exp: clock.now() / 1000 + 600 })];
    const before = guard({ degraded: mode, keys: keys(), snapshots });
    assert.equal(describeDecision(await before.validate(token)), "valid");
    while (!(await readdir(dir)).some((file) => file.endsWith(".json"))) await setImmediate();
    await before.close();
    provider.fault("all", { refuse: true });
    await clock.advance(hour);
    const after = guard({ degraded: mode, keys: keys(), snapshots });
    if (mode === "local") await after.ready();
    const without = guard({ degraded: mode, keys: keys() });
    const verdict = await after.validate(token);
    assert.equal(
      describeDecision(verdict),
      mode === "local" ? degradedVerdict : "unavailable: authority_unavailable",
    );
    assert.equal(describeDecision(await after.validate(ended)), "invalid: expired");
    assert.equal(describeDecision(await without.validate(token)), "unavailable: authority_unavailable");
  });
}

test("fault 36: a revoked token stays revoked while log and authority are out, and is unavailable after a restart", async (t) => {
  const { guard, provider, clock } = await makeFixture(t);
  const { revocations } = memoryStore({ clock });
  const log = breakable(revocations);
  const options = { degraded: { mode: "local", maxMs: 10 * hour }, revocations: log.feed } as const;
  const before = guard(options);
  await before.ready();
  const [revoked, good] = [provider.token({ sid: "s1" }), provider.token({ sid: "s2" })];
  await revocations.append({
    kind: "session",
    id: "s1",
    issuer: provider.issuer,
    until: clock.now() + 25 * hour,
  });
  await clock.advance(1_000);
  log.isOut = true;
  provider.fault("introspection", { refuse: true });
  await clock.advance(hour);
  assert.equal(describeDecision(await before.validate(revoked)), "invalid: revoked");
  assert.equal(describeDecision(await before.validate(good)), degradedVerdict);
  await before.close();

  const after = guard(options);
  for (const token of [revoked, good]) {
    assert.equal(describeDecision(await after.validate(token)), "unavailable: revocations_stale");
  }
  log.isOut = false;
  await clock.advance(10_000);
  assert.equal(describeDecision(await after.validate(revoked)), "invalid: revoked");
  assert.equal(describeDecision(await after.validate(good)), degradedVerdict);
});

test("fault 37: after a restart without keys, authority and log, snapshots decide until the view is too old", async (t) => {
  const { guard, provider, clock } = await makeFixture(t);
  const { revocations } = memoryStore({ clock });
  const log = breakable(revocations);
  const dir = await folder(t);
  const options = () => ({
    degraded: { mode: "local", maxMs: hour } as const,
    keys: jwks(provider.url("jwks"), { fetch: provider.fetch }),
    revocations: log.feed,
    revocationPollMs: 5_000,
    snapshots: fileSnapshots({ dir }),
  });
  const [good, ended, refused] = [
    provider.token(),
    provider.token({ sid: "ended" }),
    provider.token({ sub: "refused" }),
  ];
  const before = guard(options());
  await before.ready();
  const until = clock.now() + 25 * hour;
  await revocations.append({ kind: "session", id: "ended", issuer: provider.issuer, until });
  provider.revoke(refused);
  assert.equal(describeDecision(await before.validate(refused)), "invalid: revoked");
  await clock.advance(10_000);
  await before.close();
  log.isOut = true;
  provider.fault("all", { refuse: true });
  await clock.advance(10 * minute);

  const after = guard(options());
  assert.equal(describeDecision(await after.validate(good)), degradedVerdict);
  for (const token of [ended, refused])
    assert.equal(describeDecision(await after.validate(token)), "invalid: revoked");
  const strict = { maxRevocationAgeMs: 5_000 };
  assert.equal(describeDecision(await after.authorize(good, strict)), "unavailable: revocations_stale");
  await clock.advance(51 * minute);
  assert.equal(describeDecision(await after.validate(good)), "unavailable: revocations_stale");
  assert.equal(describeDecision(await after.validate(ended)), "invalid: revoked");
});
