import assert from "node:assert/strict";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { introspection, fileSnapshots } from "../../../src/index.ts";
import type { AuthoritySource, RevocationFeed, Snapshots } from "../../../src/index.ts";
import { temporaryFolder } from "../../stores/temporary-folder.ts";
import { audience, issuer, listening, makeWorld, own, type World } from "../fixture.ts";

/** A disk that a test can look at, and that can be taken away. */
interface Disk extends Snapshots {
  readonly files: Map<string, string>;
  /** How many more saves succeed. */
  saves: number;
  /** How long a load takes. */
  loadMs: number;
}

function diskOf({ clock }: World): Disk {
  const disk: Disk = {
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

function headOn({ files }: Disk): [name: string, head: Record<string, unknown>] {
  const [name] = [...files.keys()].filter((key) => /^revocations-[0-9a-f]{64}$/.test(key));
  assert.ok(name !== undefined);
  return [name, JSON.parse(files.get(name) ?? "") as Record<string, unknown>];
}

function savedByAnother(disk: Disk): void {
  const [name, head] = headOn(disk);
  disk.files.set(name, JSON.stringify({ ...head, id: "another" }));
}

/** The world's log, until it is out. */
function logOf(world: World): RevocationFeed & { isOut: boolean } {
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

/** Sessions and tokens in turn: `s<from>` up to, not including, `s<to>`. */
async function revokeMany({ revoke }: World, from: number, to: number): Promise<void> {
  const numbers = Array.from({ length: to - from }, (_, i) => from + i);
  await Promise.all(numbers.map(async (n) => await revoke(n % 2 === 0 ? "session" : "token", `s${n}`)));
}

/** An authority that answers so. */
function authorityThat(fetch: () => Response): AuthoritySource {
  return introspection({
    url: "https://id.example/introspect",
    clientId: "api",
    clientSecret: "a secret",
    fetch,
  });
}

/** A world, its log that can be out, and a disk for the views of its guards. */
async function makeScene() {
  const world = await makeWorld();
  const [log, snapshots] = [logOf(world), diskOf(world)];
  const start: World["guard"] = (options) => world.guard({ revocations: log, snapshots, ...options });
  /** A run that is over, and the log with it. */
  const ran = async (revoke: () => Promise<unknown> = async () => await world.revoke("session", "s")) => {
    const before = start();
    await before.ready();
    await revoke();
    await world.clock.advance(500);
    await before.close();
    log.isOut = true;
  };
  return { world, log, snapshots, start, ran };
}

const revoked = { status: "invalid", reason: "revoked" };

test("fault 36: revoked, the log dies, the service restarts: still refused, and what is good passes until the view is too old", async () => {
  const { world, log, start, ran } = await makeScene();
  const { clock, mint } = world;
  await ran(async () => {
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
  assert.equal(own(after).revocations?.complete, false);
  assert.equal(own(after).revocations?.entries, 4);
  await clock.advance(40_001);
  const old = await after.validate(mint.token());
  assert.ok(old.status === "unavailable" && old.cause === "revocations_stale");
  assert.deepEqual(await after.validate(mint.token({ sid: "s" })), revoked);
  log.isOut = false;
  await clock.advance(5_000);
  assert.equal((await after.validate(mint.token())).status, "valid");
  await after.close();
});

test("fault 36: what the authority refused stays refused over a restart that it does not answer", async () => {
  const world = await makeWorld();
  const { mint, clock } = world;
  const snapshots = diskOf(world);
  let answer: () => Response = () => Response.json({ active: false });
  const authority = authorityThat(() => answer());
  const options = { authority, degraded: "local", snapshots } as const;
  const before = world.guard(options);
  const token = mint.token();
  snapshots.saves = 0;
  assert.deepEqual(await before.validate(token), revoked);
  await clock.advance(1_000);
  snapshots.saves = Infinity;
  await clock.advance(10_000);
  answer = () => Response.json({}, { status: 500 });
  // Not closed: the process was killed.
  const after = world.guard(options);
  assert.deepEqual(await after.validate(token), revoked);
  assert.equal((await after.validate(mint.token())).status, "valid");
  const other = world.guard({ ...options, audience: [audience, "https://other.example"] });
  assert.equal((await other.validate(token)).status, "valid");
  await Promise.all([before.close(), after.close(), other.close()]);
});

test("law 3: no token is decided before what an earlier run knew is here", async () => {
  const { world, snapshots, start, ran } = await makeScene();
  await ran();
  snapshots.loadMs = 3_000;
  const after = start({ maxRevocationAgeMs: Infinity });
  const verdict = after.validate(world.mint.token({ sid: "s" }));
  const abandoned = after.validate(world.mint.token(), { signal: AbortSignal.abort(new Error("gone")) });
  await assert.rejects(abandoned, /gone/);
  await world.clock.advance(3_000);
  assert.deepEqual(await verdict, revoked);
  await after.close();
});

test("a disk that hangs holds up nobody for more than five seconds, and what it says in the end is added", async () => {
  const { world, snapshots, start, ran } = await makeScene();
  await ran();
  snapshots.loadMs = 20_000;
  const heard = listening("snapshot_failed");
  const after = start({ maxRevocationAgeMs: Infinity });
  const early = after.validate(world.mint.token());
  await world.clock.advance(5_000);
  assert.equal((await early).status, "valid");
  await world.clock.advance(15_000);
  assert.deepEqual(await after.validate(world.mint.token({ sid: "s" })), revoked);
  assert.equal(own(after).revocations?.ageMs, 20_000);
  assert.match(heard.stop().join(), /^loading the view of revocations: it took longer than 5000 ms$/);
  await after.close();
});

test("fault 36: a killed process loses a second of news, and ten of the view's age", async () => {
  const { world, log, start } = await makeScene();
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

test("a quiet view is saved every ten seconds, and not at all while nothing can be read", async () => {
  const { world, log, snapshots, start } = await makeScene();
  const guard = start();
  await guard.ready();
  await world.clock.advance(2_000);
  let [, head] = headOn(snapshots);
  const saved = new Set<unknown>();
  for (let i = 0; i < 60; i++) {
    await world.clock.advance(1_000);
    [, head] = headOn(snapshots);
    saved.add(head["savedAt"]);
    assert.ok(head["ageMs"] !== null && world.clock.now() - (head["savedAt"] as number) <= 11_000);
  }
  assert.ok(saved.size <= 7, `${saved.size} times`);
  log.isOut = true;
  await world.clock.advance(20_000);
  const [, before] = headOn(snapshots);
  await world.clock.advance(60_000);
  assert.deepEqual(headOn(snapshots)[1], before);
  await guard.close();
  assert.equal(world.clock.pending, 0);
});

for (const [what, backMs, ageMs] of [
  ["a little: the view is as old as when it was saved", 900, 400],
  ["by an hour: nobody knows how old the view is", 3_600_000, Infinity],
] as const) {
  test(`fault 34: a clock that was set back over a restart makes no view younger; ${what}`, async () => {
    const { world, log, start } = await makeScene();
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
    assert.equal(own(after).revocations?.ageMs, ageMs);
    await after.close();
  });
}

for (const [what, spoil, message] of [
  ["damaged", () => "[]", /it is damaged/],
  ["half written", (json: string) => json.replace('"recent"', '"rec"'), /it is damaged/],
  ["another issuer's", (json: string) => json.replace(issuer, "https://other.example"), /another issuer's/],
  ["of a newer version", (json: string) => json.replace('"version":1', '"version":2'), /newer version/],
  ["of a revocation that is none", (json: string) => json.replace('"session"', '"planet"'), /a part is/],
] as const) {
  test(`fault 36: a saved view that is ${what} is reported and makes nothing valid`, async () => {
    const { world, log, snapshots, start, ran } = await makeScene();
    await ran();
    const [name] = headOn(snapshots);
    const spoilt = spoil(snapshots.files.get(name) ?? "");
    snapshots.files.set(name, spoilt);
    const heard = listening("snapshot_failed");
    const after = start();
    const verdict = await after.validate(world.mint.token());
    assert.ok(verdict.status === "unavailable" && verdict.cause === "revocations_stale");
    assert.match(heard.stop().join(), message);
    log.isOut = false;
    await world.clock.advance(5_000);
    assert.deepEqual(await after.validate(world.mint.token({ sid: "s" })), revoked);
    await after.close();
    // Somebody newer will want it back; nobody else can use it.
    assert.equal(snapshots.files.get(name) === spoilt, what === "of a newer version");
  });
}

test("a view of 10,000 is saved in pieces; a piece that is damaged or missing leaves the rest, and no age", async () => {
  const { world, log, snapshots, start } = await makeScene();
  const before = start();
  await before.ready();
  await revokeMany(world, 0, 10_000);
  await world.clock.advance(2_000);
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
  assert.equal(own(whole).revocations?.entries, 10_001);
  log.isOut = false;
  await world.revoke("session", "s10001");
  await world.clock.advance(10_000);
  await whole.close();
  log.isOut = true;
  const [, head] = headOn(snapshots);
  assert.equal((head["recent"] as unknown[]).length, 2);
  assert.equal((head["pieces"] as unknown[]).length, 5);
  for (const spoil of [
    (json: string) => json.replace("s5000", "x5000"),
    () => "null",
    () => undefined as unknown as string,
  ]) {
    const files = new Map(snapshots.files);
    for (const [name, json] of pieces) if (json.includes("s5000")) snapshots.files.set(name, spoil(json));
    const damaged = start();
    assert.deepEqual(await damaged.validate(world.mint.token({ jti: "s9999" })), revoked);
    assert.equal((await damaged.validate(world.mint.token())).status, "unavailable");
    await damaged.close();
    for (const [name, json] of files) snapshots.files.set(name, json);
  }
});

test("fault 36: wherever saving is interrupted, the disk holds the last view that was saved", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ count: fc.nat(5_000), saves: fc.nat(6), another: fc.boolean() }), {
        minLength: 1,
        maxLength: 6,
      }),
      async (rounds) => {
        const { world, log, snapshots, start } = await makeScene();
        const guard = start({ maxRevocationAgeMs: Infinity });
        await guard.ready();
        let [next, saved] = [0, 0];
        for (const { count, saves, another } of rounds) {
          await revokeMany(world, next, (next += count));
          snapshots.saves = saves;
          // Then everything is written again.
          if (another && saved > 0) savedByAnother(snapshots);
          await world.clock.advance(12_000);
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
          assert.notEqual(own(restarted).revocations?.ageMs, saved > 0 ? Infinity : undefined);
          await restarted.close();
        }
        await guard.close();
      },
    ),
    { numRuns: 15 },
  );
});

test("the disk holds no more than twice what is in force, whatever came and went", async () => {
  const { world, snapshots, start } = await makeScene();
  const guard = start({ revocationPollMs: 60_000 });
  await guard.ready();
  await world.log.append({ kind: "key", id: "k", issuer, until: world.clock.now() + 1e9 });
  for (let round = 0; round < 6; round++) {
    if (round === 4) snapshots.saves = 0;
    await revokeMany(world, 3_000 * round, 3_000 * (round + 1));
    await world.clock.advance(3_700_000);
  }
  assert.ok(snapshots.files.size <= 6, `${snapshots.files.size} files`);
  snapshots.saves = Infinity;
  await world.clock.advance(120_000);
  const [, head] = headOn(snapshots);
  assert.deepEqual(head["pieces"], []);
  assert.equal((head["recent"] as unknown[]).length, 1);
  await guard.close();
});

test("of two guards that save under one name neither loses what the other knew", async () => {
  const world = await makeWorld();
  const snapshots = diskOf(world);
  const refusing = authorityThat(() => Response.json({ active: false }));
  const options = { authority: refusing, degraded: "local", snapshots } as const;
  const [one, other] = [world.guard(options), world.guard(options)];
  const [first, second, third] = [world.mint.token(), world.mint.token(), world.mint.token()];
  await one.validate(first);
  await world.clock.advance(1_500);
  await other.validate(second);
  await world.clock.advance(1_500);
  await one.validate(third);
  await Promise.all([one.close(), other.close()]);
  const silent = authorityThat(() => Response.json({}, { status: 500 }));
  const after = world.guard({ ...options, authority: silent });
  for (const token of [first, second, third]) assert.deepEqual(await after.validate(token), revoked);
  await after.close();
});

test("a view larger than maxRevocations allows is not taken for complete", async () => {
  const { world, start, ran } = await makeScene();
  await ran(async () => {
    for (const id of ["a", "b", "c"]) await world.revoke("session", id);
  });
  const after = start({ maxRevocations: 2 });
  const verdict = await after.validate(world.mint.token({ sid: "c" }));
  assert.ok(verdict.status === "unavailable" && verdict.cause === "revocations_stale");
  await after.close();
});

test("law 5: files are for their owner only, and tell no token", async () => {
  const world = await makeWorld();
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
