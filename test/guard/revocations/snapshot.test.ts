import assert from "node:assert/strict";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { introspection, fileSnapshots } from "../../../src/index.ts";
import type { AuthoritySource, RevocationFeed, Snapshots } from "../../../src/index.ts";
import { temporaryFolder } from "../../stores/temporary-folder.ts";
import { audience, issuer, collectMessages, makeFixture, onlyIssuer, type Fixture } from "../fixture.ts";

/** In-memory snapshots that a test can inspect and make fail. */
interface TestDisk extends Snapshots {
  readonly files: Map<string, string>;
  /** Number of saves that still succeed. */
  saves: number;
  /** How long a load takes. */
  loadMs: number;
}

function createDisk({ clock }: Fixture): TestDisk {
  const disk: TestDisk = {
    files: new Map(),
    saves: Infinity,
    loadMs: 0,
    load: async (name) => {
      if (disk.loadMs > 0) await new Promise<void>((resolve) => clock.after(disk.loadMs, resolve));
      return JSON.parse(disk.files.get(name) ?? "null") as unknown;
    },
    save: async (name, value) => {
      await Promise.resolve();
      if (disk.saves-- <= 0) throw new Error("full");
      disk.files.set(name, JSON.stringify(value));
    },
  };
  return disk;
}

function readHead({ files }: TestDisk): [name: string, head: Record<string, unknown>] {
  const [name] = [...files.keys()].filter((key) => /^revocations-[0-9a-f]{64}$/.test(key));
  assert.ok(name !== undefined);
  return [name, JSON.parse(files.get(name) ?? "") as Record<string, unknown>];
}

function simulateOtherWriter(disk: TestDisk): void {
  const [name, head] = readHead(disk);
  disk.files.set(name, JSON.stringify({ ...head, id: "another" }));
}

/** A feed on the log of `world`. Its reads fail while `isOut` is true. */
function createFeed(world: Fixture): RevocationFeed & { isOut: boolean } {
  const feed = {
    isOut: false,
    snapshot: async () => await unlessOut(async () => await world.log.snapshot()),
    after: async (position: Parameters<RevocationFeed["after"]>[0]) =>
      await unlessOut(async () => await world.log.after(position)),
    subscribe: () => () => {},
  };
  async function unlessOut<T>(ask: () => Promise<T>): Promise<T> {
    if (feed.isOut) throw new Error("out");
    return await ask();
  }
  return feed;
}

/** Revokes `s<from>` up to, not including, `s<to>`: sessions and tokens in turn. */
async function revokeMany({ revoke }: Fixture, from: number, to: number): Promise<void> {
  const numbers = Array.from({ length: to - from }, (_, i) => from + i);
  await Promise.all(numbers.map(async (n) => await revoke(n % 2 === 0 ? "session" : "token", `s${n}`)));
}

/** Advances in small steps: the store reads a long log in several turns of the event loop. */
async function advanceInSteps({ clock }: Fixture, ms: number): Promise<void> {
  for (let step = 0; step < 40; step++) await clock.advance(ms / 40);
}

/** An authority whose response comes from `fetch`. */
function authorityAnswering(fetch: () => Response): AuthoritySource {
  return introspection({
    url: "https://id.example/introspect",
    clientId: "api",
    clientSecret: "a secret",
    fetch,
  });
}

/** A feed that can fail, and a disk for the snapshots of guards. */
async function createSetup() {
  const world = await makeFixture();
  const [log, snapshots] = [createFeed(world), createDisk(world)];
  const start: Fixture["guard"] = (options) => world.guard({ revocations: log, snapshots, ...options });
  /** Runs a guard, closes it, and makes the log unreachable. */
  const runOnce = async (revoke: () => Promise<unknown> = async () => await world.revoke("session", "s")) => {
    const before = start();
    await before.ready();
    await revoke();
    await world.clock.advance(500);
    await before.close();
    log.isOut = true;
  };
  return { world, log, snapshots, start, runOnce };
}

const revoked = { status: "invalid", reason: "revoked" };

test("fault 36: after a restart without the log revoked tokens stay refused, and others pass until the view is stale", async () => {
  const { world, log, start, runOnce } = await createSetup();
  const { clock, mint } = world;
  await runOnce(async () => {
    await world.revoke("token", "t");
    await world.revoke("session", "s");
    await world.revoke("key", "k");
    await world.revokeSubject("alice");
  });
  await clock.advance(20_000);
  const after = start();
  for (const claims of [{ jti: "t" }, { sid: "s" }, { sub: "alice", iat: clock.now() / 1000 - 30 }]) {
    assert.deepEqual(await after.validate(mint.token(claims)), revoked);
  }
  await after.ready();
  const good = await after.validate(mint.token());
  assert.ok(good.status === "valid");
  assert.equal(good.revocationAgeMs, 20_000);
  assert.equal(onlyIssuer(after).revocations?.complete, false);
  assert.equal(onlyIssuer(after).revocations?.entries, 4);
  await clock.advance(40_001);
  const old = await after.validate(mint.token());
  assert.ok(old.status === "unavailable" && old.cause === "revocations_stale");
  assert.deepEqual(await after.validate(mint.token({ sid: "s" })), revoked);
  log.isOut = false;
  await clock.advance(5_000);
  assert.equal((await after.validate(mint.token())).status, "valid");
  await after.close();
});

test("fault 36: a denial by the authority survives a restart during which the authority is down", async () => {
  const world = await makeFixture();
  const { mint, clock } = world;
  const snapshots = createDisk(world);
  let answer: () => Response = () => Response.json({ active: false });
  const authority = authorityAnswering(() => answer());
  const options = { authority, degraded: "local", snapshots } as const;
  const before = world.guard(options);
  const token = mint.token();
  snapshots.saves = 0;
  assert.deepEqual(await before.validate(token), revoked);
  await clock.advance(1_000);
  snapshots.saves = Infinity;
  await clock.advance(10_000);
  answer = () => Response.json({}, { status: 500 });
  // The first guard is not closed, as after a kill.
  const after = world.guard(options);
  assert.deepEqual(await after.validate(token), revoked);
  assert.equal((await after.validate(mint.token())).status, "valid");
  const other = world.guard({ ...options, audience: [audience, "https://other.example"] });
  assert.equal((await other.validate(token)).status, "valid");
  await Promise.all([before.close(), after.close(), other.close()]);
});

test("law 3: no token is decided before the saved revocations are loaded", async () => {
  const { world, snapshots, start, runOnce } = await createSetup();
  await runOnce();
  snapshots.loadMs = 3_000;
  const after = start({ maxRevocationAgeMs: Infinity });
  const verdict = after.validate(world.mint.token({ sid: "s" }));
  const abandoned = after.validate(world.mint.token(), { signal: AbortSignal.abort(new Error("gone")) });
  await assert.rejects(abandoned, /gone/);
  await world.clock.advance(3_000);
  assert.deepEqual(await verdict, revoked);
  await after.close();
});

test("a hanging disk delays validation by at most five seconds, and its late snapshot is added", async () => {
  const { world, snapshots, start, runOnce } = await createSetup();
  await runOnce();
  snapshots.loadMs = 20_000;
  const heard = collectMessages("snapshot_failed");
  const after = start({ maxRevocationAgeMs: Infinity });
  const early = after.validate(world.mint.token());
  await world.clock.advance(5_000);
  assert.equal((await early).status, "valid");
  await world.clock.advance(15_000);
  assert.deepEqual(await after.validate(world.mint.token({ sid: "s" })), revoked);
  assert.equal(onlyIssuer(after).revocations?.ageMs, 20_000);
  assert.match(heard.stop().join(), /^loading the view of revocations: it took longer than 5000 ms$/);
  await after.close();
});

test("fault 36: a killed process loses at most one second of revocations and ten seconds of the view's age", async () => {
  const { world, log, start } = await createSetup();
  const { clock, mint } = world;
  const before = start();
  await before.ready();
  await clock.advance(60_000);
  await world.revoke("session", "early");
  await clock.advance(1_500);
  await world.revoke("session", "late");
  await clock.advance(250);
  log.isOut = true;
  const after = start();
  assert.deepEqual(await after.validate(mint.token({ sid: "early" })), revoked);
  const verdict = await after.validate(mint.token());
  assert.ok(verdict.status === "valid" && (verdict.revocationAgeMs ?? Infinity) <= 2_000);
  await before.close();
  await after.close();
});

test("a view without changes is saved every ten seconds, and not while the feed fails", async () => {
  const { world, log, snapshots, start } = await createSetup();
  const guard = start();
  await guard.ready();
  await world.clock.advance(2_000);
  let [, head] = readHead(snapshots);
  const saved = new Set<unknown>();
  for (let i = 0; i < 60; i++) {
    await world.clock.advance(1_000);
    [, head] = readHead(snapshots);
    saved.add(head["savedAt"]);
    assert.ok(head["ageMs"] !== null && world.clock.now() - (head["savedAt"] as number) <= 11_000);
  }
  assert.ok(saved.size <= 7, `${saved.size} times`);
  log.isOut = true;
  await world.clock.advance(20_000);
  const [, before] = readHead(snapshots);
  await world.clock.advance(60_000);
  assert.deepEqual(readHead(snapshots)[1], before);
  await guard.close();
  assert.equal(world.clock.pending, 0);
});

for (const [what, backMs, ageMs] of [
  ["by 900 ms: the view is as old as when it was saved", 900, 400],
  ["by an hour: the age of the view is unknown", 3_600_000, Infinity],
] as const) {
  test(`fault 34: a clock set back across a restart does not make the view younger; ${what}`, async () => {
    const { world, log, start } = await createSetup();
    const { clock, mint } = world;
    const before = start();
    await before.ready();
    await world.revoke("session", "s");
    await clock.advance(500);
    log.isOut = true;
    await clock.advance(400);
    await before.close();
    clock.setWall(clock.now() - backMs);
    const after = start();
    assert.deepEqual(await after.validate(mint.token({ sid: "s" })), revoked);
    assert.equal((await after.validate(mint.token())).status, ageMs < 60_000 ? "valid" : "unavailable");
    assert.equal(onlyIssuer(after).revocations?.ageMs, ageMs);
    await after.close();
  });
}

for (const [what, damage, message] of [
  ["damaged", () => "[]", /it is damaged/],
  ["half written", (json: string) => json.replace('"recent"', '"rec"'), /it is damaged/],
  ["another issuer's", (json: string) => json.replace(issuer, "https://other.example"), /another issuer's/],
  ["of a newer version", (json: string) => json.replace('"version":1', '"version":2'), /newer version/],
  ["of a malformed revocation", (json: string) => json.replace('"session"', '"planet"'), /a part is/],
] as const) {
  test(`fault 36: a saved view that is ${what} is reported and makes no token valid`, async () => {
    const { world, log, snapshots, start, runOnce } = await createSetup();
    await runOnce();
    const [name] = readHead(snapshots);
    const damaged = damage(snapshots.files.get(name) ?? "");
    snapshots.files.set(name, damaged);
    const heard = collectMessages("snapshot_failed");
    const after = start();
    const verdict = await after.validate(world.mint.token());
    assert.ok(verdict.status === "unavailable" && verdict.cause === "revocations_stale");
    assert.match(heard.stop().join(), message);
    log.isOut = false;
    await world.clock.advance(5_000);
    assert.deepEqual(await after.validate(world.mint.token({ sid: "s" })), revoked);
    await after.close();
    // A newer version can still use its file, so it stays. Every other damaged file is replaced.
    assert.equal(snapshots.files.get(name) === damaged, what === "of a newer version");
  });
}

test("a view of 10,000 is saved in pieces, and without one of them the rest is restored and the age is unknown", async () => {
  const { world, log, snapshots, start } = await createSetup();
  const before = start();
  await before.ready();
  await revokeMany(world, 0, 10_000);
  await advanceInSteps(world, 2_000);
  assert.equal(snapshots.files.size, 5);
  const pieces = new Map([...snapshots.files].filter(([name]) => /-\d+$/.test(name)));
  await world.revoke("session", "s10000");
  await world.clock.advance(2_000);
  for (const [name, json] of pieces) assert.equal(snapshots.files.get(name), json);
  await before.close();
  log.isOut = true;
  const whole = start();
  for (const i of [0, 1_999, 2_000, 9_999, 10_000]) {
    assert.deepEqual(
      await whole.validate(world.mint.token({ sid: `s${i}`, jti: `s${i}` })),
      revoked,
      `s${i}`,
    );
  }
  assert.equal(onlyIssuer(whole).revocations?.entries, 10_001);
  log.isOut = false;
  await world.revoke("session", "s10001");
  await world.clock.advance(10_000);
  await whole.close();
  log.isOut = true;
  const [, head] = readHead(snapshots);
  assert.equal((head["recent"] as unknown[]).length, 2);
  assert.equal((head["pieces"] as unknown[]).length, 5);
  for (const damage of [
    (json: string) => json.replace("s5000", "x5000"),
    () => "null",
    () => undefined as unknown as string,
  ]) {
    const files = new Map(snapshots.files);
    for (const [name, json] of pieces) if (json.includes("s5000")) snapshots.files.set(name, damage(json));
    const damaged = start();
    assert.deepEqual(await damaged.validate(world.mint.token({ jti: "s9999" })), revoked);
    assert.equal((await damaged.validate(world.mint.token())).status, "unavailable");
    await damaged.close();
    for (const [name, json] of files) snapshots.files.set(name, json);
  }
});

test("fault 36: after a save interrupted at any point the disk holds the previous view", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ count: fc.nat(5_000), saves: fc.nat(6), another: fc.boolean() }), {
        minLength: 1,
        maxLength: 6,
      }),
      async (rounds) => {
        const { world, log, snapshots, start } = await createSetup();
        const guard = start({ maxRevocationAgeMs: Infinity });
        await guard.ready();
        let [next, saved] = [0, 0];
        for (const { count, saves, another } of rounds) {
          await revokeMany(world, next, (next += count));
          snapshots.saves = saves;
          // Another writer makes the guard write the whole view again.
          if (another && saved > 0) simulateOtherWriter(snapshots);
          await advanceInSteps(world, 12_000);
          if (snapshots.saves >= 0) saved = next;
          const restarted = start({
            revocations: { ...log, snapshot: async () => await Promise.reject(new Error("out")) },
            snapshots: { load: async (name) => await snapshots.load(name), save: async () => {} },
            maxRevocationAgeMs: Infinity,
          });
          for (const i of [0, Math.floor(saved / 2), saved - 1].filter((one) => one >= 0 && one < saved)) {
            assert.deepEqual(
              await restarted.validate(world.mint.token({ sid: `s${i}`, jti: `s${i}` })),
              revoked,
              `s${i}`,
            );
          }
          assert.notEqual(onlyIssuer(restarted).revocations?.ageMs, saved > 0 ? Infinity : undefined);
          await restarted.close();
        }
        await guard.close();
      },
    ),
    { numRuns: 15 },
  );
});

test("the disk holds at most twice the revocations in force", async () => {
  const { world, snapshots, start } = await createSetup();
  const guard = start({ revocationPollMs: 60_000 });
  await guard.ready();
  await world.log.append({ kind: "key", id: "k", issuer, until: world.clock.now() + 1e9 });
  for (let round = 0; round < 6; round++) {
    if (round === 4) snapshots.saves = 0;
    await revokeMany(world, 3_000 * round, 3_000 * (round + 1));
    await advanceInSteps(world, 3_700_000);
  }
  assert.ok(snapshots.files.size <= 6, `${snapshots.files.size} files`);
  snapshots.saves = Infinity;
  await advanceInSteps(world, 120_000);
  const [, head] = readHead(snapshots);
  assert.deepEqual(head["pieces"], []);
  assert.equal((head["recent"] as unknown[]).length, 1);
  await guard.close();
});

test("two guards that save under one name keep the revocations of both", async () => {
  const world = await makeFixture();
  const snapshots = createDisk(world);
  const refusing = authorityAnswering(() => Response.json({ active: false }));
  const options = { authority: refusing, degraded: "local", snapshots } as const;
  const [one, other] = [world.guard(options), world.guard(options)];
  const [first, second, third] = [world.mint.token(), world.mint.token(), world.mint.token()];
  await one.validate(first);
  await world.clock.advance(1_500);
  await other.validate(second);
  await world.clock.advance(1_500);
  await one.validate(third);
  await Promise.all([one.close(), other.close()]);
  const silent = authorityAnswering(() => Response.json({}, { status: 500 }));
  const after = world.guard({ ...options, authority: silent });
  for (const token of [first, second, third]) assert.deepEqual(await after.validate(token), revoked);
  await after.close();
});

test("a saved view above maxRevocations is incomplete", async () => {
  const { world, start, runOnce } = await createSetup();
  await runOnce(async () => {
    for (const id of ["a", "b", "c"]) await world.revoke("session", id);
  });
  const after = start({ maxRevocations: 2 });
  const verdict = await after.validate(world.mint.token({ sid: "c" }));
  assert.ok(verdict.status === "unavailable" && verdict.cause === "revocations_stale");
  await after.close();
});

test("law 5: snapshot files are readable by their owner only and contain no token", async () => {
  const world = await makeFixture();
  const folder = temporaryFolder();
  const options = { revocations: world.log, snapshots: fileSnapshots({ dir: folder.path }) };
  const guard = world.guard(options);
  await guard.ready();
  await revokeMany(world, 0, 3_000);
  await world.clock.advance(250);
  await guard.close();
  const files = await readdir(folder.path);
  assert.equal(files.length, 2);
  for (const file of files) assert.equal((await stat(join(folder.path, file))).mode & 0o777, 0o600);
  const after = world.guard({
    ...options,
    revocations: { ...world.log, after: async () => await Promise.reject(new Error("out")) },
  });
  assert.deepEqual(await after.validate(world.mint.token({ jti: "s2999" })), revoked);
  await after.close();
  folder.remove();
});
