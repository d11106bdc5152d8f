import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { GuardEvent } from "../../../src/core/events.ts";
import { VanishedKeys } from "../../../src/guard/keys/vanished-keys.ts";
import { createGuard, jwks, type JwksOptions } from "../../../src/index.ts";
import { importJwkSet } from "../../../src/jwt/jwk-set.ts";
import { createMint, FakeClock, seededRandom, type Mint } from "../../../src/testing/index.ts";
import { audience, issuer } from "../fixture.ts";
import { FakeKeyEndpoint } from "./provider.ts";
import { recordEvents, fakeSnapshots, openKeyring, verifyOutcome, findSigner } from "./fixture.ts";

const url = "https://id.example/keys";
const hour = 3_600_000;

interface Setup {
  readonly clock: FakeClock;
  readonly mint: Mint;
  readonly provider: FakeKeyEndpoint;
  readonly makeKeyring: (options?: JwksOptions, more?: object) => ReturnType<typeof openKeyring>;
}

async function setUp(): Promise<Setup> {
  const clock = new FakeClock();
  const mint = await createMint({ issuer, audience, clock });
  const provider = new FakeKeyEndpoint(mint.jwks());
  return {
    clock,
    mint,
    provider,
    makeKeyring: (options = {}, more = {}) =>
      openKeyring(jwks(url, { fetch: provider.fetch, ...options }), { clock, ...more }),
  };
}

const ready = AbortSignal.any([]);

const named = (events: GuardEvent[], name: string) => events.filter(({ event }) => event === name);

test("law 1, fault 26: a set is used until maxStaleMs, warns at half of it and at its end, and recovers without a call", async (t) => {
  const { clock, mint, provider, makeKeyring } = await setUp();
  const events = recordEvents(t);
  const keys = makeKeyring();
  const token = mint.token();
  const key = await findSigner(keys, token);
  assert.ok(!("status" in key));
  provider.fail();
  await clock.advance(11.9 * hour);
  assert.equal(named(events, "keys_stale").length, 0);
  await clock.advance(0.2 * hour);
  assert.equal(named(events, "keys_stale").length, 1);
  await clock.advance(11.8 * hour);
  assert.ok(keys.isInForce(key) && keys.status().usable);
  assert.equal(await verifyOutcome(keys, mint.token()), "verified");
  await clock.advance(0.2 * hour);
  assert.equal(await verifyOutcome(keys, mint.token()), "keys_unavailable");
  assert.ok(!keys.isInForce(key) && !keys.status().usable);
  assert.equal(named(events, "keys_stale").length, 2);
  provider.serve(mint.jwks());
  await clock.advance(120_000);
  assert.ok(keys.status().usable && keys.isInForce(key));
  assert.equal(await verifyOutcome(keys, token), "verified");
  await keys.close();
  assert.equal(clock.pending, 0);
});

test("fault 34: the age of a set includes the time that the machine was suspended", async () => {
  const { clock, mint, provider, makeKeyring } = await setUp();
  const keys = makeKeyring();
  await keys.ready(ready);
  provider.fail();
  clock.suspend(24 * hour);
  assert.equal(await verifyOutcome(keys, mint.token()), "keys_unavailable");
});

const freshness: [headers: Record<string, string>, options: JwksOptions, ms: number][] = [
  [{}, {}, 2 * hour],
  [{ "cache-control": "public" }, {}, 2 * hour],
  [{ "cache-control": "max-age=nonsense" }, {}, 2 * hour],
  [{ "cache-control": "public, max-age=3600, must-revalidate" }, {}, hour],
  [{ "cache-control": 'Max-Age="3600"' }, {}, hour],
  [{ "cache-control": "max-age=3600", age: "1800" }, {}, hour / 2],
  [{ "cache-control": "s-maxage=3600" }, {}, 2 * hour],
  [{ "cache-control": "max-age=15" }, {}, 300_000],
  [{ "cache-control": "max-age=3600", age: "9999" }, {}, 300_000],
  [{ "cache-control": "no-store, max-age=3600" }, {}, 300_000],
  [{ "cache-control": "no-cache" }, {}, 300_000],
  [{ "cache-control": "max-age=99999999999999999999" }, {}, 12 * hour],
  [{ "cache-control": "max-age=86400" }, { maxStaleMs: 48 * hour }, 24 * hour],
  [{ "cache-control": "max-age=3600" }, { freshMs: 60_000 }, 60_000],
  [{}, { freshMs: 24 * hour }, 12 * hour],
];

for (const [headers, options, ms] of freshness) {
  const described = Object.values(headers).join(", age ") || "no Cache-Control";
  test(`a set with ${described} (${JSON.stringify(options)}) is fetched again after ${ms} ms without a call`, async () => {
    const { clock, mint, provider, makeKeyring } = await setUp();
    provider.answer = () => Response.json(mint.jwks(), { headers });
    const keys = makeKeyring(options);
    await keys.ready(ready);
    await clock.advance(ms - 1);
    assert.equal(provider.attempts, 1);
    await clock.advance(1);
    assert.equal(provider.attempts, 2);
    await keys.close();
  });
}

test("instances that fetch at the same time refresh at different times", async () => {
  const { clock, provider, makeKeyring } = await setUp();
  const random = seededRandom(38);
  const keyrings = Array.from({ length: 20 }, () => makeKeyring({}, { random }));
  await Promise.all(keyrings.map(async (keys) => await keys.ready(ready)));
  const before = provider.attempts;
  await clock.advance(1.79 * hour);
  assert.equal(provider.attempts, before);
  await clock.advance(0.21 * hour);
  const half = provider.attempts - before;
  assert.ok(half > 4 && half < 16, `${half} of 20`);
  await clock.advance(0.21 * hour);
  assert.equal(provider.attempts, before + 20);
});

test("fault 26: a keyring recovers from an outage without a call, even if timers fire early", async () => {
  const { mint, provider } = await setUp();
  class EarlyTimers extends FakeClock {
    override after(ms: number, fn: () => void): () => void {
      return super.after(ms - 0.5, fn);
    }
  }
  const clock = new EarlyTimers();
  const keyring = openKeyring(jwks(url, { fetch: provider.fetch }), { clock });
  await keyring.ready(ready);
  provider.fail();
  await clock.advance(6 * hour);
  assert.ok(!keyring.status().fresh);
  provider.serve(mint.jwks());
  await clock.advance(120_000);
  assert.ok(keyring.status().fresh);
});

test("fault 37: the age of a saved set counts from its fetch, and maxStaleMs holds across a restart", async () => {
  const { clock, mint, provider, makeKeyring } = await setUp();
  const snapshots = fakeSnapshots();
  await makeKeyring({}, { snapshots }).ready(ready);
  provider.fail();
  await clock.advance(23 * hour);
  const restarted = makeKeyring({}, { snapshots });
  assert.equal(await verifyOutcome(restarted, mint.token()), "verified");
  assert.equal(restarted.status().ageMs, 23 * hour);
  await clock.advance(hour);
  assert.equal(await verifyOutcome(restarted, mint.token()), "keys_unavailable");
  assert.equal(await verifyOutcome(makeKeyring({}, { snapshots }), mint.token()), "keys_unavailable");
});

test("fault 37: a saved set is fetched again, and its verifications stay in force", async () => {
  const { clock, mint, provider, makeKeyring } = await setUp();
  const snapshots = fakeSnapshots();
  await makeKeyring({}, { snapshots }).ready(ready);
  const restarted = makeKeyring({}, { snapshots });
  const key = await findSigner(restarted, mint.token());
  assert.equal(provider.attempts, 1);
  await clock.advance(30_000);
  assert.equal(provider.attempts, 2);
  assert.ok(!("status" in key) && restarted.isInForce(key));
});

test("law 1: a set that was saved for another URL or another issuer is not used", async () => {
  const { clock, mint, provider, makeKeyring } = await setUp();
  const snapshots = fakeSnapshots();
  await makeKeyring({}, { snapshots }).ready(ready);
  provider.fail();
  const elsewhere = openKeyring(jwks("https://id.example/other", { fetch: provider.fetch }), {
    clock,
    snapshots,
  });
  assert.equal(await verifyOutcome(elsewhere, mint.token()), "keys_unavailable");
  assert.equal(
    await verifyOutcome(makeKeyring({}, { snapshots, issuer: "https://other.example" }), mint.token()),
    "keys_unavailable",
  );
});

test("a saved set from the future is used no longer than maxStaleMs, and a malformed one is not used", async () => {
  const { clock, mint, provider, makeKeyring } = await setUp();
  const snapshots = fakeSnapshots();
  await makeKeyring({}, { snapshots }).ready(ready);
  provider.fail();
  clock.setWall(clock.now() - 1_000 * hour);
  const restarted = makeKeyring({}, { snapshots });
  assert.equal(await verifyOutcome(restarted, mint.token()), "verified");
  await clock.advance(24 * hour);
  assert.equal(await verifyOutcome(restarted, mint.token()), "keys_unavailable");
  const [name = ""] = snapshots.saved.keys();
  for (const odd of [
    1,
    "x",
    [],
    {},
    { url, fetchedAt: "1", jwks: mint.jwks() },
    { url, fetchedAt: 1, jwks: {} },
  ]) {
    snapshots.saved.set(name, odd);
    assert.equal(await verifyOutcome(makeKeyring({}, { snapshots }), mint.token()), "keys_unavailable");
  }
});

test("sets are saved one at a time, and the latest last", async () => {
  const { clock, mint, provider, makeKeyring } = await setUp();
  const next = await createMint({ issuer, audience, clock });
  const saved: unknown[] = [];
  let writing = 0;
  const snapshots = {
    load: async () => await Promise.resolve(null),
    save: async (_name: string, value: unknown) => {
      assert.equal(++writing, 1);
      await new Promise<void>((done) => clock.after(10 * 60_000, done));
      saved.push((value as { jwks: unknown }).jwks);
      writing--;
    },
  };
  const keys = makeKeyring({ freshMs: 60_000 }, { snapshots });
  await keys.ready(ready);
  provider.serve(next.jwks());
  await clock.advance(60_000);
  provider.fail();
  await clock.advance(20 * 60_000);
  assert.deepEqual(saved, [mint.jwks(), next.jwks()]);
});

/** Makes snapshots whose `save` takes `ms`. */
function slowSnapshots(clock: FakeClock, ms: number): ReturnType<typeof fakeSnapshots> {
  const fast = fakeSnapshots();
  const save = async (name: string, value: unknown) => {
    await new Promise<void>((done) => clock.after(ms, done));
    await fast.save(name, value);
  };
  return { ...fast, save };
}

test("closing a guard waits for the set that is being saved", async () => {
  const { clock, provider } = await setUp();
  const snapshots = slowSnapshots(clock, 900);
  const guard = createGuard({
    issuer,
    audience,
    keys: jwks(url, { fetch: provider.fetch }),
    clock,
    snapshots,
  });
  await guard.ready();
  let savedAtEnd: number | undefined;
  const closed = (async () => {
    await guard.close();
    savedAtEnd = snapshots.saved.size;
  })();
  await clock.advance(890);
  assert.equal(savedAtEnd, undefined);
  await clock.advance(20);
  await closed;
  assert.equal(savedAtEnd, 1);
  assert.equal(clock.pending, 0);
});

test("closing waits for a hanging disk for one second and emits snapshot_failed", async (t) => {
  const { clock, makeKeyring } = await setUp();
  const keys = makeKeyring({}, { snapshots: slowSnapshots(clock, hour) });
  await keys.ready(ready);
  const events = recordEvents(t);
  const closed = keys.close();
  await clock.advance(1_000);
  await closed;
  assert.equal(named(events, "snapshot_failed").length, 1);
});

test("a set that arrives during close is saved before close resolves, or not at all", async () => {
  const { clock, provider, mint, makeKeyring } = await setUp();
  for (let ticks = 0; ticks < 60; ticks++) {
    const release = provider.hold(mint.jwks());
    const snapshots = fakeSnapshots();
    const save = async (name: string, value: unknown) => {
      await nextTurn();
      await snapshots.save(name, value);
    };
    const keys = makeKeyring({}, { snapshots: { ...snapshots, save } });
    await clock.advance(0);
    release();
    for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
    await keys.close();
    const savedAtEnd = snapshots.saved.size;
    await nextTurn();
    await nextTurn();
    assert.equal(snapshots.saved.size, savedAtEnd, `closed ${ticks} ticks after the answer`);
  }
});

test("fault 38: 100 instances that start together with a saved set fetch once each, spread over the cool-down", async () => {
  const { clock, mint, provider, makeKeyring } = await setUp();
  const snapshots = fakeSnapshots();
  await makeKeyring({}, { snapshots }).ready(ready);
  const random = seededRandom(100);
  const keyrings = Array.from({ length: 100 }, () => makeKeyring({}, { snapshots, random }));
  for (const keys of keyrings) assert.equal(await verifyOutcome(keys, mint.token()), "verified");
  const perSecond: number[] = [];
  for (let second = 0; second < 30; second++) {
    const before = provider.attempts;
    await clock.advance(1_000);
    for (const keys of keyrings) await verifyOutcome(keys, mint.token());
    perSecond.push(provider.attempts - before);
  }
  assert.equal(provider.attempts, 1 + 100);
  assert.ok(Math.max(...perSecond) <= 15, perSecond.join());
});

test("fault 38: 100 instances that start together in an outage retry at different times", async () => {
  const { clock, mint, provider, makeKeyring } = await setUp();
  const random = seededRandom(100);
  provider.fail();
  const keyrings = Array.from({ length: 100 }, () => makeKeyring({}, { random }));
  for (const keys of keyrings) assert.equal(await verifyOutcome(keys, mint.token()), "keys_unavailable");
  assert.equal(provider.attempts, 100);
  // After two minutes the pauses are between 15 and 30 s.
  await clock.advance(120_000);
  const perSecond: number[] = [];
  for (let second = 0; second < 30; second++) {
    const before = provider.attempts;
    await clock.advance(1_000);
    perSecond.push(provider.attempts - before);
  }
  assert.ok(Math.max(...perSecond) <= 20, perSecond.join());
  provider.serve(mint.jwks());
  const before = provider.attempts;
  await clock.advance(30_000);
  assert.equal(provider.attempts, before + 100);
  assert.ok(keyrings.every((keys) => keys.status().usable));
});

const unusableKeys: [string, (mint: Mint) => unknown][] = [
  ["with its private part", (mint) => ({ keys: [mint.privateJwk] })],
  ["for encryption", (mint) => ({ keys: mint.jwks().keys.map((key) => ({ ...key, use: "enc" })) })],
  [
    "with a point off its curve",
    (mint) => ({ keys: mint.jwks().keys.map((key) => ({ ...key, y: key["x"] })) }),
  ],
];

for (const [what, makeSet] of unusableKeys) {
  test(`law 1, fault 27: tokens of a key that is published ${what} are unavailable`, async (t: TestContext) => {
    const { clock, mint, provider, makeKeyring } = await setUp();
    const other = await createMint({ issuer, audience, clock });
    const { keys: published } = (await makeSet(mint)) as { keys: unknown[] };
    provider.serve({ keys: [...published, ...other.jwks().keys] });
    const events = recordEvents(t);
    const keys = makeKeyring();
    assert.equal(await verifyOutcome(keys, mint.token()), "key_pending");
    await clock.advance(30_000);
    assert.equal(await verifyOutcome(keys, mint.token()), "key_pending");
    assert.equal(await verifyOutcome(keys, other.token()), "verified");
    assert.ok(named(events, "keys_rejected").length > 0);
  });
}

test("fault 27: an endpoint that fails every second time gets no more requests, and tokens stay valid", async () => {
  const { clock, mint, provider, makeKeyring } = await setUp();
  const keys = makeKeyring({ freshMs: 60_000 });
  await keys.ready(ready);
  provider.answer = () =>
    provider.attempts % 2 === 0 ? new Response("down", { status: 500 }) : Response.json(mint.jwks());
  for (let minute = 0; minute < 60; minute++) {
    await clock.advance(60_000);
    assert.equal(await verifyOutcome(keys, mint.token()), "verified");
  }
  assert.ok(provider.attempts <= 1 + 120, `${provider.attempts}`);
});

test("fault 27: a bounded number of vanished keys is kept", async () => {
  const clock = new FakeClock();
  const vanished = new VanishedKeys(clock, hour);
  const [key] = importJwkSet((await createMint({ issuer, audience })).jwks()).keys;
  assert.ok(key !== undefined);
  for (let i = 0; i < 750; i++) vanished.update([{ ...key, kid: `${i}` }], () => false);
  assert.equal(vanished.keys.length, 500);
  assert.equal(vanished.keys.at(-1)?.kid, "749");
});
