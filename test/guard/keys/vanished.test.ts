import assert from "node:assert/strict";
import { test } from "node:test";
import { jwks, type JwksOptions } from "../../../src/index.ts";
import type { Keyring } from "../../../src/guard/keys/key-source.ts";
import type { VerificationKey } from "../../../src/jwt/jwk-set.ts";
import { createMint, type Mint } from "../../../src/testing/index.ts";
import { audience, issuer, makeFixture, type Fixture } from "../fixture.ts";
import { FakeKeyEndpoint } from "./provider.ts";
import { recordEvents, fakeSnapshots, openKeyring, verifyOutcome, findSigner } from "./fixture.ts";

const url = "https://id.example/keys";
const minute = 60_000;

interface Setup extends Fixture {
  readonly next: Mint;
  readonly provider: FakeKeyEndpoint;
  readonly source: (options?: JwksOptions) => ReturnType<typeof jwks>;
}

/** Sets up a provider with two keys. Its key set is fetched every ten minutes. */
async function setUp(): Promise<Setup> {
  const world = await makeFixture();
  const next = await createMint({ issuer, audience, clock: world.clock });
  const provider = new FakeKeyEndpoint({ keys: [...world.mint.jwks().keys, ...next.jwks().keys] });
  const source = (options: JwksOptions = {}) =>
    jwks(url, { fetch: provider.fetch, freshMs: 10 * minute, ...options });
  return { ...world, next, provider, source };
}

async function keyOf(keyring: Keyring, mint: Mint): Promise<VerificationKey> {
  const key = await findSigner(keyring, mint.token());
  assert.ok(!("status" in key));
  return key;
}

test("fault 28: a key that leaves the set verifies no further tokens, and its verifications count for a bounded time", async (t) => {
  const { clock, mint, next, provider, source } = await setUp();
  const events = recordEvents(t);
  const keyring = openKeyring(source(), { clock });
  const key = await keyOf(keyring, mint);
  provider.serve(next.jwks());
  await clock.advance(10 * minute);
  assert.ok(keyring.isInForce(key) && keyring.hasVanished(key));
  assert.deepEqual(keyring.status().vanished, [mint.kid]);
  assert.deepEqual(keyring.status().kids, [next.kid]);
  assert.deepEqual(keyring.find(mint.kid, "ES256"), []);
  const [vanished, ...more] = events.filter(({ event }) => event === "key_vanished");
  assert.ok(vanished?.message.includes(mint.kid ?? "") && more.length === 0);
  assert.equal(await verifyOutcome(keyring, mint.token()), "key_pending");
  await clock.advance(minute);
  assert.equal(await verifyOutcome(keyring, mint.token()), "unknown_key");
  await clock.advance(59 * minute - 1);
  assert.ok(keyring.isInForce(key));
  await clock.advance(1);
  assert.ok(!keyring.isInForce(key) && !keyring.hasVanished(key));
  assert.deepEqual(keyring.status().vanished, []);
  assert.ok(keyring.isInForce(await keyOf(keyring, next)));
});

test("fault 28: a verified token stays valid after its key vanishes, and other tokens of that key do not become valid", async () => {
  const { clock, mint, next, provider, source, guard: makeGuard } = await setUp();
  const guard = makeGuard({ keys: source() });
  await clock.advance(0);
  await guard.ready();
  provider.serve(next.jwks());
  await clock.advance(8 * minute);
  const verified = mint.token();
  assert.equal((await guard.validate(verified)).status, "valid");
  await clock.advance(2 * minute);
  assert.equal((await guard.validate(verified)).status, "valid");
  assert.notEqual((await guard.validate(mint.token())).status, "valid");
  assert.equal((await guard.validate(next.token())).status, "valid");
});

test("fault 28: a verified token stays valid for vanishedMs, whatever the ttlMs of the result cache", async () => {
  const { clock, mint, next, provider, source, guard: makeGuard } = await setUp();
  const guard = makeGuard({ keys: source(), memory: { ttlMs: minute } });
  await clock.advance(0);
  await guard.ready();
  const verified = mint.token({ exp: clock.now() / 1000 + 7_200 });
  assert.equal((await guard.validate(verified)).status, "valid");
  provider.serve(next.jwks());
  await clock.advance(10 * minute);
  for (let minutes = 0; minutes < 60; minutes += 5) {
    assert.equal((await guard.validate(verified)).status, "valid", `${minutes} minutes later`);
    await clock.advance(5 * minute);
  }
  assert.notEqual((await guard.validate(verified)).status, "valid");
});

test("fault 28: with vanishedMs 0 a key that leaves the set is no longer in force", async () => {
  const { clock, mint, next, provider, source } = await setUp();
  const keyring = openKeyring(source({ vanishedMs: 0 }), { clock });
  const key = await keyOf(keyring, mint);
  provider.serve(next.jwks());
  await clock.advance(10 * minute);
  assert.ok(!keyring.isInForce(key) && !keyring.hasVanished(key));
  assert.deepEqual(keyring.status().vanished, []);
});

test("fault 28: vanishedMs includes the time that the machine was suspended", async () => {
  const { clock, mint, next, provider, source } = await setUp();
  const keyring = openKeyring(source(), { clock });
  const key = await keyOf(keyring, mint);
  provider.serve(next.jwks());
  await clock.advance(10 * minute);
  clock.suspend(60 * minute);
  assert.ok(!keyring.isInForce(key));
});

test("a key that returns in time is the same key object, and each change of the set increases the version", async () => {
  const { clock, mint, next, provider, source } = await setUp();
  const keyring = openKeyring(source(), { clock });
  const key = await keyOf(keyring, mint);
  const versions = [keyring.version];
  provider.serve(next.jwks());
  await clock.advance(10 * minute);
  versions.push(keyring.version);
  provider.serve({ keys: [...mint.jwks().keys, ...next.jwks().keys] });
  await clock.advance(10 * minute);
  versions.push(keyring.version);
  assert.equal(await keyOf(keyring, mint), key);
  assert.ok(!keyring.hasVanished(key));
  assert.deepEqual(keyring.status().vanished, []);
  assert.deepEqual(versions, [1, 2, 3]);
});

test("fault 28: distrusted keys are out of force at once, and a set is fetched whatever the pause", async (t) => {
  const { clock, mint, next, provider, source } = await setUp();
  const events = recordEvents(t);
  const keyring = openKeyring(source(), { clock });
  const [old, kept] = [await keyOf(keyring, mint), await keyOf(keyring, next)];
  assert.ok(keyring.status().coolingDownMs > 0);
  const release = provider.hold(next.jwks());
  keyring.distrust();
  assert.ok(!keyring.isInForce(old) && !keyring.isInForce(kept) && !keyring.hasVanished(old));
  assert.deepEqual(keyring.find(mint.kid, "ES256"), []);
  const waiting = verifyOutcome(keyring, mint.token());
  await clock.advance(0);
  assert.equal(provider.attempts, 2);
  assert.match(keyring.status().lastError ?? "", /compromised/);
  release();
  // The set was requested before the token was first seen.
  assert.equal(await waiting, "key_pending");
  // The key verifies tokens again, but its earlier verifications no longer count.
  const again = await keyOf(keyring, next);
  assert.ok(keyring.isInForce(again) && !keyring.isInForce(kept) && again !== kept);
  assert.equal(events.filter(({ event }) => event === "keys_distrusted").length, 1);
  assert.equal(keyring.status().lastError, null);
  await clock.advance(30_000);
  assert.equal(await verifyOutcome(keyring, mint.token()), "unknown_key");
});

test("law 1, fault 28: tokens are unavailable after distrust until a set can be fetched, and retries go on", async () => {
  const { clock, mint, provider, source } = await setUp();
  const keyring = openKeyring(source(), { clock });
  await keyOf(keyring, mint);
  provider.fail();
  keyring.distrust();
  await clock.advance(5 * minute);
  assert.equal(await verifyOutcome(keyring, mint.token()), "keys_unavailable");
  assert.ok(provider.attempts > 10 && provider.attempts < 25, `${provider.attempts} attempts`);
  provider.serve(mint.jwks());
  await clock.advance(30_000);
  assert.equal(await verifyOutcome(keyring, mint.token()), "verified");
});

test("fault 28: distrust also ends the verifications of a key that vanished before, even if the key returns", async () => {
  const { clock, mint, next, provider, source } = await setUp();
  const keyring = openKeyring(source(), { clock });
  const key = await keyOf(keyring, mint);
  provider.serve(next.jwks());
  await clock.advance(10 * minute);
  assert.ok(keyring.hasVanished(key));
  provider.serve(mint.jwks());
  keyring.distrust();
  await clock.advance(0);
  assert.deepEqual(keyring.status().kids, [mint.kid]);
  assert.ok(!keyring.isInForce(key));
});

test("fault 28: the result of a fetch that began before distrust is dropped, and counts as no failure", async (t) => {
  const { clock, mint, next, provider, source } = await setUp();
  const events = recordEvents(t);
  const keyring = openKeyring(source(), { clock });
  await keyring.ready(AbortSignal.any([]));
  const releaseOld = provider.hold(mint.jwks());
  await clock.advance(10 * minute);
  const releaseNew = provider.hold(next.jwks());
  keyring.distrust();
  await clock.advance(0);
  assert.equal(provider.attempts, 3);
  releaseOld();
  await clock.advance(0);
  const { usable, lastError, coolingDownMs } = keyring.status();
  assert.deepEqual([usable, coolingDownMs], [false, 0]);
  assert.match(lastError ?? "", /compromised/);
  assert.ok(events.every(({ event }) => event !== "keys_failed"));
  releaseNew();
  await clock.advance(0);
  assert.deepEqual(keyring.status().kids, [next.kid]);
});

test("fault 28: repeated distrust causes at most one fetch a second", async () => {
  const { clock, mint, provider, source } = await setUp();
  const keyring = openKeyring(source(), { clock });
  await keyOf(keyring, mint);
  for (let i = 0; i < 100; i++) {
    keyring.distrust();
    await clock.advance(100);
  }
  assert.ok(provider.attempts >= 8 && provider.attempts <= 12, `${provider.attempts} attempts`);
  // No call is needed for this fetch.
  await clock.advance(1_000);
  assert.ok(keyring.status().usable);
});

test("fault 28: distrusted keys do not return after a restart, or from a snapshot that was loading", async () => {
  const { clock, mint, provider, source } = await setUp();
  const snapshots = fakeSnapshots();
  const keyring = openKeyring(source(), { clock, snapshots });
  await keyOf(keyring, mint);
  provider.fail();
  const loading = openKeyring(source(), { clock, snapshots });
  loading.distrust();
  assert.equal(await verifyOutcome(loading, mint.token()), "keys_unavailable");
  keyring.distrust();
  assert.equal(
    await verifyOutcome(openKeyring(source(), { clock, snapshots }), mint.token()),
    "keys_unavailable",
  );
});

test("a key of a saved set that left while the guard was away has not vanished, unless a token asked for it since", async (t) => {
  const { clock, mint, next, provider, source } = await setUp();
  const snapshots = fakeSnapshots();
  const before = openKeyring(source(), { clock, snapshots });
  await keyOf(before, mint);
  await before.close();
  provider.serve(next.jwks());
  const events = recordEvents(t);
  const vanished = () => events.filter(({ event }) => event === "key_vanished").length;

  const unused = openKeyring(source(), { clock, snapshots });
  await unused.ready(new AbortController().signal);
  assert.equal(unused.status().kids.length, 2);
  await clock.advance(minute);
  assert.deepEqual([unused.status().kids, unused.status().vanished, vanished()], [[next.kid], [], 0]);
  await unused.close();

  provider.serve({ keys: [...mint.jwks().keys, ...next.jwks().keys] });
  const used = openKeyring(source(), { clock, snapshots });
  const key = await keyOf(used, next);
  await clock.advance(10 * minute);
  await used.close();
  provider.serve(mint.jwks());
  const again = openKeyring(source(), { clock, snapshots });
  const restored = await keyOf(again, next);
  assert.notEqual(restored, key);
  await clock.advance(minute);
  assert.deepEqual([again.status().vanished, vanished()], [[next.kid], 1]);
  assert.ok(again.isInForce(restored));
  // Only the first fetch after the restart compares with a saved set. No token asked for the key that leaves now.
  provider.serve(next.jwks());
  await clock.advance(10 * minute);
  assert.equal(vanished(), 2);
});

test("a closed keyring does not fetch when its keys are distrusted", async () => {
  const { clock, mint, provider, source } = await setUp();
  const keyring = openKeyring(source(), { clock });
  await keyOf(keyring, mint);
  await keyring.close();
  keyring.distrust();
  await clock.advance(60 * minute);
  assert.equal(provider.attempts, 1);
  assert.equal(clock.pending, 0);
});
