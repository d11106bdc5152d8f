import assert from "node:assert/strict";
import { test } from "node:test";
import { jwks, type JwksOptions, type Snapshots } from "../../../src/index.ts";
import { createMint, type Mint } from "../../../src/testing/index.ts";
import { UnknownKids, type FirstSeen } from "../../../src/guard/keys/unknown-kids.ts";
import { audience, issuer, makeFixture, onlyIssuer, type Fixture } from "../fixture.ts";
import type { SingleIssuerOptions } from "../../../src/guard/types.ts";
import { endless, FakeKeyEndpoint } from "./provider.ts";
import { recordEvents, fakeSnapshots } from "./fixture.ts";

const url = "https://id.example/.well-known/jwks.json";

interface Setup extends Fixture {
  readonly provider: FakeKeyEndpoint;
  readonly makeGuard: (
    options?: JwksOptions,
    more?: Partial<SingleIssuerOptions>,
  ) => ReturnType<Fixture["guard"]>;
}

async function setUp(): Promise<Setup> {
  const world = await makeFixture();
  const provider = new FakeKeyEndpoint(world.mint.jwks());
  return {
    ...world,
    provider,
    makeGuard: (options = {}, more = {}) =>
      world.guard({ keys: jwks(url, { fetch: provider.fetch, ...options }), ...more }),
  };
}

test("law 7: 5,000 concurrent calls with one cold token cause one fetch, and an aborted call fails alone", async () => {
  const { provider, makeGuard, mint } = await setUp();
  const guard = makeGuard();
  const release = provider.hold(mint.jwks());
  const token = mint.token();
  const impatient = new AbortController();
  const first = guard.validate(token, { signal: impatient.signal });
  const others = Array.from({ length: 5_000 }, async () => await guard.validate(token));
  const reason = new Error("gave up");
  impatient.abort(reason);
  await assert.rejects(first, reason);
  release();
  for (const verdict of await Promise.all(others)) assert.equal(verdict.status, "valid");
  assert.equal(provider.attempts, 1);
  assert.equal(guard.status().inFlight, 0);
});

test("fault 32: joined callers share one verification, and each decides by its own rules", async () => {
  const { makeGuard, mint } = await setUp();
  const guard = makeGuard();
  const token = mint.token({ scope: "a" });
  const [plain, missing, granted] = await Promise.all([
    guard.validate(token),
    guard.authorize(token, { scopes: ["b"] }),
    guard.authorize(token, { scopes: ["a"] }),
  ]);
  assert.deepEqual([plain.status, missing.status, granted.status], ["valid", "forbidden", "valid"]);
});

test("fault 26: a stale key set stays in use through an outage, with at most one fetch in each cool-down", async () => {
  const { provider, makeGuard, mint, clock } = await setUp();
  const guard = makeGuard({ freshMs: 60_000, coolDownMs: 30_000 });
  await guard.ready();
  provider.fail();
  for (let minute = 0; minute < 60; minute++) {
    await clock.advance(60_000);
    for (let i = 0; i < 5; i++) assert.equal((await guard.validate(mint.token())).status, "valid");
  }
  assert.ok(provider.attempts > 10 && provider.attempts <= 1 + 120, `${provider.attempts} attempts`);
  const { keys, state } = onlyIssuer(guard);
  assert.ok(keys.usable && !keys.fresh && keys.lastError !== null);
  assert.equal(state, "degraded");
  provider.serve(mint.jwks());
  await clock.advance(120_000);
  await guard.validate(mint.token());
  await clock.advance(0);
  assert.equal(guard.status().state, "ready");
});

test("fault 26: a stale set verifies at once and is refreshed in the background", async () => {
  const { provider, makeGuard, mint, clock } = await setUp();
  const guard = makeGuard({ freshMs: 60_000 });
  await guard.ready();
  // No timer runs while the machine sleeps.
  clock.suspend(70_000);
  provider.answer = async () => await new Promise<Response>(() => {});
  assert.equal((await guard.validate(mint.token())).status, "valid");
  await clock.advance(0);
  assert.equal(provider.attempts, 2);
});

const evil = await createMint({ issuer, audience });
const page = "<html>maintenance</html>";
const unusable: [string, (signal: AbortSignal | null | undefined) => Response][] = [
  ["an empty set", () => Response.json({ keys: [] })],
  ["no set", () => Response.json({ hello: "world" })],
  ["null", () => Response.json(null)],
  ["an array", () => Response.json([])],
  ["HTML", () => new Response(page, { headers: { "content-type": "text/html" } })],
  ["nothing", () => new Response(null, { status: 204 })],
  ["an empty body", () => new Response("")],
  ["half of it", () => new Response('{"keys":[{"kty":"EC"')],
  ["text that is not UTF-8", () => new Response(new Uint8Array([0x22, 0xff, 0x22]))],
  ["a redirect", () => new Response(null, { status: 302, headers: { location: "https://evil.example" } })],
  ["a redirect with a good set", () => Response.json(evil.jwks(), { status: 302 })],
  ["an error", () => new Response("{}", { status: 500 })],
  ["only a symmetric key", () => Response.json({ keys: [{ kty: "oct", k: "c2VjcmV0", alg: "HS256" }] })],
  ["a body without end", () => endless("x".repeat(65_536)).response],
];

test("fault 27: an unusable response never replaces a good set", async () => {
  for (const [what, answer] of unusable) {
    const { provider, makeGuard, mint, clock } = await setUp();
    const guard = makeGuard({ freshMs: 60_000 });
    await guard.ready();
    provider.answer = answer;
    await clock.advance(70_000);
    const { lastError, kids } = onlyIssuer(guard).keys;
    assert.equal(provider.attempts, 2, what);
    assert.ok(lastError !== null, what);
    assert.deepEqual(kids, [mint.kid], what);
    assert.equal((await guard.validate(mint.token())).status, "valid", what);
  }
});

test("law 1, fault 27: a token is unavailable without a good set, whatever the response was", async () => {
  for (const [what, answer] of unusable) {
    const { provider, makeGuard, mint } = await setUp();
    provider.answer = answer;
    const verdict = await makeGuard().validate(mint.token());
    assert.ok(verdict.status === "unavailable" && verdict.cause === "keys_unavailable", what);
    assert.ok(verdict.retryAfterMs > 0, what);
  }
});

test("fault 27: an endless body is read no further than maxBytes", async () => {
  const { provider, makeGuard, mint } = await setUp();
  const body = endless("x".repeat(1_000));
  provider.answer = () => body.response;
  await makeGuard({ maxBytes: 10_000 }).validate(mint.token());
  assert.ok(body.sent() <= 13_000, `${body.sent()} bytes`);
  assert.ok(body.cancelled());
});

test("fault 17: a slow body ends at the deadline, even if fetch ignores its signal", async () => {
  const { provider, makeGuard, mint, clock } = await setUp();
  let cancelled = false;
  const pull = async () => await new Promise<void>(() => {});
  provider.answer = () => new Response(new ReadableStream({ pull, cancel: () => void (cancelled = true) }));
  const guard = makeGuard({ timeoutMs: 5_000 });
  const verdict = guard.validate(mint.token());
  await clock.advance(5_000);
  assert.equal((await verdict).status, "unavailable");
  assert.match(onlyIssuer(guard).keys.lastError ?? "", /5000 ms/);
  assert.ok(cancelled);
});

test("fault 29: a token with a new kid is unavailable during an outage, and valid once the set can be fetched", async () => {
  const { provider, makeGuard, mint, clock } = await setUp();
  const guard = makeGuard();
  await guard.ready();
  const next = await createMint({ issuer, audience, clock });
  const token = next.token();
  provider.fail();
  await clock.advance(60_000);
  for (let i = 0; i < 3; i++) {
    const verdict = await guard.validate(token);
    assert.ok(
      verdict.status === "unavailable" && verdict.cause === "key_pending" && verdict.retryAfterMs > 0,
    );
  }
  provider.serve({ keys: [...mint.jwks().keys, ...next.jwks().keys] });
  await clock.advance(60_000);
  assert.equal((await guard.validate(token)).status, "valid");
  assert.equal((await guard.validate(mint.token())).status, "valid");
});

test("law 1, fault 27: a set from a cache does not make a key unknown that the origin server may have published since", async () => {
  const { makeGuard, clock, provider, mint } = await setUp();
  const guard = makeGuard({ coolDownMs: 30_000 });
  await guard.ready();
  const [next, stranger] = [
    await createMint({ issuer, audience, clock }),
    await createMint({ issuer, audience, clock }),
  ];
  const tokens = [next.token(), stranger.token()];
  const cached = (ageS: number, ...mints: Mint[]) => {
    const set = { keys: mints.flatMap((one) => one.jwks().keys) };
    const headers = { "cache-control": "max-age=300", age: String(ageS) };
    provider.answer = () => Response.json(set, { headers });
  };
  for (let ageS = 200; ageS < 300; ageS += 30) {
    cached(ageS, mint);
    for (const token of tokens)
      assert.equal((await guard.validate(token)).status, "unavailable", `${ageS} s`);
    await clock.advance(30_000);
  }
  cached(20, mint, next);
  const [known, unknown] = await Promise.all(tokens.map(async (token) => await guard.validate(token)));
  assert.equal(known?.status, "valid");
  assert.deepEqual(unknown, { status: "invalid", reason: "unknown_key" });
});

test("law 1, fault 27: an Age in whole seconds may be up to a second too low", async () => {
  const { makeGuard, clock, provider, mint } = await setUp();
  const guard = makeGuard({ coolDownMs: 30_000 });
  await guard.ready();
  const stranger = await createMint({ issuer, audience, clock });
  const token = stranger.token();
  const answers = async (age: string) => {
    provider.answer = () => Response.json(mint.jwks(), { headers: { "cache-control": "max-age=300", age } });
    return await guard.validate(token);
  };
  assert.equal((await answers("10")).status, "unavailable");
  await clock.advance(30_000);
  assert.equal((await answers("30")).status, "unavailable", "the set may be from before the first sighting");
  await clock.advance(30_000);
  assert.deepEqual(await answers("59"), { status: "invalid", reason: "unknown_key" });
});

test("law 1: a kid is unknown only after a set that was requested later than its first sighting", async () => {
  const { makeGuard, clock, provider } = await setUp();
  const guard = makeGuard({ coolDownMs: 30_000 });
  await guard.ready();
  const stranger = await createMint({ issuer, audience, clock });
  const token = stranger.token();
  const pending = await guard.validate(token);
  assert.ok(pending.status === "unavailable" && pending.cause === "key_pending");
  assert.equal(provider.attempts, 1);
  await clock.advance(30_000);
  assert.deepEqual(await guard.validate(token), { status: "invalid", reason: "unknown_key" });
  assert.equal(provider.attempts, 2);
  assert.deepEqual(await guard.validate(token), { status: "invalid", reason: "unknown_key" });
  assert.equal(provider.attempts, 2);
});

test("a guard fetches its keys at creation and is ready without a call", async () => {
  const { makeGuard, clock, provider, mint } = await setUp();
  const guard = makeGuard();
  await clock.advance(0);
  assert.deepEqual([guard.status().state, provider.attempts], ["ready", 1]);
  provider.fail();
  const other = makeGuard();
  await clock.advance(0);
  assert.equal(other.status().state, "starting");
  provider.serve({ keys: [] });
  await clock.advance(10_000);
  assert.equal(other.status().state, "starting");
  provider.serve(mint.jwks());
  await clock.advance(30_000);
  assert.equal(other.status().state, "ready");
});

test("law 1: the fetch at creation does not make a kid unknown that is first seen during it", async () => {
  const { makeGuard, clock, provider } = await setUp();
  const guard = makeGuard();
  const stranger = (await createMint({ issuer, audience, clock })).token();
  const verdict = await guard.validate(stranger);
  assert.ok(verdict.status === "unavailable" && verdict.cause === "key_pending");
  await clock.advance(30_000);
  assert.deepEqual(await guard.validate(stranger), { status: "invalid", reason: "unknown_key" });
  assert.equal(provider.attempts, 2);
});

test("law 1: a guessed kid becomes valid once the issuer publishes it", async () => {
  const { makeGuard, clock, provider, mint } = await setUp();
  const guard = makeGuard({ coolDownMs: 30_000 });
  await guard.ready();
  const next = await createMint({ issuer, audience, clock });
  await clock.advance(30_000);
  assert.equal((await guard.validate(mint.token({}, { kid: next.kid }))).status, "invalid");
  provider.serve({ keys: [...mint.jwks().keys, ...next.jwks().keys] });
  await clock.advance(30_000);
  assert.equal((await guard.validate(next.token())).status, "valid");
});

test("law 1: a fetch in flight does not make a kid unknown that is first seen during it", async () => {
  const { makeGuard, clock, provider, mint } = await setUp();
  const release = provider.hold(mint.jwks());
  const guard = makeGuard();
  const good = guard.validate(mint.token());
  await clock.advance(0);
  const stranger = await createMint({ issuer, audience, clock });
  const pending = guard.validate(stranger.token());
  await clock.advance(0);
  release();
  assert.equal((await good).status, "valid");
  assert.equal((await pending).status, "unavailable");
  assert.equal(provider.attempts, 1);
});

test("fault 30: 10,000 unknown kids cause one fetch in each cool-down, and good tokens stay valid", async () => {
  const { makeGuard, clock, provider, mint } = await setUp();
  const guard = makeGuard({ coolDownMs: 30_000 });
  await guard.ready();
  await clock.advance(30_000);
  const good = mint.token();
  const token = (kid: string) => mint.token({}, { kid });
  const flood = Array.from({ length: 10_000 }, async (_, i) => await guard.validate(token(`made-up-${i}`)));
  assert.equal((await guard.validate(good)).status, "valid");
  await Promise.all(flood);
  assert.equal(provider.attempts, 2);
  await clock.advance(29_999);
  await guard.validate(token("one-more"));
  assert.equal(provider.attempts, 2);
  assert.equal((await guard.validate(mint.token())).status, "valid");
  assert.equal(guard.status().memory.invalid.size, 0);
});

test("law 9: a cached bad_signature holds for one version of the key set only", async () => {
  const { makeGuard, clock, provider, mint } = await setUp();
  const next = await createMint({ issuer, audience, clock });
  // The set holds another key under the token's kid.
  provider.serve({ keys: next.jwks().keys.map((key) => ({ ...key, kid: mint.kid })) });
  const guard = makeGuard({ freshMs: 60_000 });
  const token = mint.token();
  assert.deepEqual(await guard.validate(token), { status: "invalid", reason: "bad_signature" });
  provider.serve(mint.jwks());
  await clock.advance(70_000);
  await guard.validate(mint.token());
  await clock.advance(0);
  assert.equal((await guard.validate(token)).status, "valid");
});

test("law 1: an unusable key makes tokens of its kid unavailable, even if another key has that kid", async () => {
  const { provider, makeGuard, mint } = await setUp();
  const weak = { kty: "RSA", kid: mint.kid, n: "AQAB", e: "AQAB" };
  provider.serve({ keys: [...mint.jwks().keys, weak] });
  const guard = makeGuard();
  assert.equal((await guard.validate(mint.token())).status, "valid");
  const verdict = await guard.validate(mint.token({}, { alg: "RS256" }));
  assert.equal(verdict.status === "unavailable" && verdict.cause, "key_pending");
});

test("an unchanged set is not parsed again", async (t) => {
  const { provider, makeGuard, mint, clock } = await setUp();
  provider.serve({ keys: [...mint.jwks().keys, { kty: "RSA", n: "AQAB", e: "AQAB" }] });
  const guard = makeGuard({ freshMs: 60_000 });
  const events = recordEvents(t);
  assert.equal((await guard.validate(mint.token())).status, "valid");
  await clock.advance(70_000);
  assert.equal(provider.attempts, 2);
  assert.equal((await guard.validate(mint.token())).status, "valid");
  assert.equal(events.filter(({ event }) => event === "keys_rejected").length, 1);
});

test("a token whose alg differs from that of its key is invalid without a fetch", async () => {
  const { makeGuard, mint, provider, clock } = await setUp();
  const guard = makeGuard();
  await guard.ready();
  await clock.advance(60_000);
  const other = await createMint({ issuer, audience, algorithm: "EdDSA", clock });
  const token = other.token({}, { kid: mint.kid });
  assert.deepEqual(await guard.validate(token), { status: "invalid", reason: "wrong_algorithm" });
  assert.equal(provider.attempts, 1);
});

test("law 1: a token without kid is verified by any key of the set", async () => {
  const { makeGuard, mint, provider, clock } = await setUp();
  const [next, stranger] = [
    await createMint({ issuer, audience, clock }),
    await createMint({ issuer, audience, clock }),
  ];
  provider.serve({ keys: [...next.jwks().keys, ...mint.jwks().keys] });
  const guard = makeGuard();
  const withoutKid = { kid: undefined };
  assert.equal((await guard.validate(mint.token({}, withoutKid))).status, "valid");
  assert.equal((await guard.validate(next.token({}, withoutKid))).status, "valid");
  const wrong = await guard.validate(next.token({ aud: "other" }, withoutKid));
  assert.deepEqual(wrong, { status: "invalid", reason: "wrong_audience" });
  const forged = stranger.token({}, withoutKid);
  assert.equal((await guard.validate(forged)).status, "unavailable");
  await clock.advance(30_000);
  assert.deepEqual(await guard.validate(forged), { status: "invalid", reason: "bad_signature" });
});

test("law 1: a token without kid is unavailable while its key may not have been fetched yet", async () => {
  const { makeGuard, mint, provider, clock } = await setUp();
  const next = await createMint({ issuer, audience, clock });
  const nameless = (one: Mint) => ({ keys: one.jwks().keys.map((key) => ({ ...key, kid: undefined })) });
  const tokenOf = (one: Mint) => one.token({}, { kid: undefined });
  provider.serve(nameless(mint));
  const guard = makeGuard({ coolDownMs: 30_000 });
  assert.equal((await guard.validate(tokenOf(mint))).status, "valid");
  await clock.advance(30_000);
  provider.fail();
  const token = tokenOf(next);
  for (let i = 0; i < 3; i++) {
    const verdict = await guard.validate(token);
    assert.ok(verdict.status === "unavailable" && verdict.cause === "key_pending");
  }
  // The failed attempt was repeated once, at once.
  assert.equal(provider.attempts, 3);
  provider.serve(nameless(next));
  await clock.advance(60_000);
  assert.equal((await guard.validate(token)).status, "valid");
  assert.equal((await guard.validate(token)).status, "valid");
  const old = tokenOf(mint);
  assert.equal((await guard.validate(old)).status, "unavailable");
  assert.equal(provider.attempts, 4);
  await clock.advance(30_000);
  assert.deepEqual(await guard.validate(old), { status: "invalid", reason: "bad_signature" });
});

test("law 1: a set that was fetched before a token without kid was seen does not make it invalid", async () => {
  const { makeGuard, mint, provider, clock } = await setUp();
  const next = await createMint({ issuer, audience, clock });
  const guard = makeGuard({ coolDownMs: 30_000 });
  await guard.ready();
  await clock.advance(30_000);
  const forged = (await createMint({ issuer, audience, clock })).token({}, { kid: undefined });
  // This fetch precedes the rotation and the first token of the new key.
  assert.deepEqual(await guard.validate(forged), { status: "invalid", reason: "bad_signature" });
  provider.serve({ keys: [...mint.jwks().keys, ...next.jwks().keys] });
  const token = next.token({}, { kid: undefined });
  const pending = await guard.validate(token);
  assert.ok(pending.status === "unavailable" && pending.cause === "key_pending");
  await clock.advance(pending.retryAfterMs);
  assert.equal((await guard.validate(token)).status, "valid");
});

test("fault 37: a guard that starts during an outage uses the last good set of an earlier run", async () => {
  const { makeGuard, mint, provider, clock } = await setUp();
  const snapshots = fakeSnapshots();
  await makeGuard({}, { snapshots }).ready();
  await clock.advance(60_000);
  provider.fail();
  const restarted = makeGuard({}, { snapshots });
  await restarted.ready();
  assert.equal((await restarted.validate(mint.token())).status, "valid");
  assert.equal(onlyIssuer(restarted).keys.ageMs, 60_000);
  assert.equal([...snapshots.saved].length, 1);
  const elsewhere = makeGuard({}, { snapshots, issuer: "https://other.example" });
  assert.equal((await elsewhere.validate(mint.token())).status, "unavailable");
});

test("snapshots that fail, hang or hold nonsense do not fail the call", async () => {
  const never = async () => await new Promise<never>(() => {});
  const broken = async () => await Promise.reject(new Error("disk"));
  const nonsense = { load: async () => await Promise.resolve("nonsense"), save: broken };
  for (const snapshots of [{ load: broken, save: broken }, { load: never, save: never }, nonsense]) {
    const { makeGuard, mint, clock } = await setUp();
    const verdict = makeGuard({}, { snapshots }).validate(mint.token());
    await clock.advance(1_000);
    assert.equal((await verdict).status, "valid");
  }
});

test("jwks accepts https, or http on this machine, and rejects other URLs and options", () => {
  for (const good of [
    "https://id.example/keys",
    "http://127.0.0.1:4180/k",
    "http://localhost/k",
    "http://[::1]/k",
  ]) {
    assert.equal(jwks(good).kind, "jwks");
  }
  const bad = [
    "http://id.example/k",
    "ftp://id.example/k",
    "https://u:p@id.example/k",
    "http://127.evil.example",
    "k",
    "",
  ];
  for (const one of bad) {
    assert.throws(
      () => jwks(one),
      (error: Error & { code: string }) => error.code === "invalid_option" && !error.message.includes("u:p"),
      one,
    );
  }
  assert.throws(() => jwks(url, { coolDownMs: 1 }), { code: "invalid_option", message: /coolDownMs/ });
  assert.throws(() => jwks(url, { cooldownMs: 1 } as JwksOptions), {
    code: "invalid_option",
    message: /cooldownMs/,
  });
  for (const headers of ["x", { "x y": "hush" }, { "x-key": "hush\r\nx-other: 1" }, { "x-key": 7 }]) {
    assert.throws(
      () => jwks(url, { headers } as unknown as JwksOptions),
      (error: Error) => /jwks: headers.* must be/.test(error.message) && !error.message.includes("hush"),
    );
  }
});

test("a snapshot that loads late does not replace a fetched set", async () => {
  const { makeGuard, mint, provider, clock } = await setUp();
  const snapshots = fakeSnapshots();
  await makeGuard({}, { snapshots }).ready();
  const next = await createMint({ issuer, audience, clock });
  provider.serve(next.jwks());
  let release: () => void = () => {};
  const gate = new Promise<void>((resolve) => (release = resolve));
  const late: Snapshots = {
    load: async (name) => {
      await gate;
      return await snapshots.load(name);
    },
    save: async () => await Promise.resolve(),
  };
  const guard = makeGuard({}, { snapshots: late });
  const waiting = guard.validate(next.token());
  // The guard stops waiting for the snapshot after a second and fetches the set.
  await clock.advance(1_000);
  assert.equal((await waiting).status, "valid");
  release();
  await clock.advance(0);
  assert.deepEqual(onlyIssuer(guard).keys.kids, [next.kid]);
  assert.notEqual((await guard.validate(mint.token())).status, "valid");
});

test("law 1: a call that waits for keys is unavailable after the guard is closed", async () => {
  const { makeGuard, mint, provider, clock } = await setUp();
  const release = provider.hold(mint.jwks());
  const guard = makeGuard();
  const waiting = guard.validate(mint.token());
  await clock.advance(0);
  await guard.close();
  release();
  const verdict = await waiting;
  assert.ok(verdict.status === "unavailable" && verdict.cause === "closed");
});

test("closing aborts a hanging fetch, and its callers get a verdict at once", async () => {
  const { makeGuard, mint, provider, clock } = await setUp();
  const signals: (AbortSignal | null | undefined)[] = [];
  provider.answer = async (signal) => {
    signals.push(signal);
    return await new Promise<never>(() => {});
  };
  const guard = makeGuard();
  const waiting = guard.validate(mint.token());
  await clock.advance(100);
  await guard.close();
  const verdict = await waiting;
  assert.ok(verdict.status === "unavailable" && verdict.cause === "closed");
  assert.equal(signals[0]?.aborted, true);
  assert.equal(clock.pending, 0);
});

test("fault 30: a bounded number of unknown kids is remembered", () => {
  const kids = new UnknownKids();
  const named = (kid: string) => ({ kid, algorithm: "ES256", signingInput: "e30.e30" }) as const;
  const [first, second, third] = [1, 2, 3].map((attempts) => ({ attempts, at: 0 })) as [
    FirstSeen,
    FirstSeen,
    FirstSeen,
  ];
  assert.equal(kids.firstSeen(named("a"), first), first);
  assert.equal(kids.firstSeen(named("a"), second), first);
  for (let i = 0; i < 1_000; i++) kids.firstSeen(named(`made-up-${i}`), second);
  assert.equal(kids.firstSeen(named("a"), third), third);
});

test("ready rejects with closed when the guard is closed, and fetching stops", async () => {
  const { makeGuard, provider, clock } = await setUp();
  provider.fail();
  const guard = makeGuard();
  const refused = assert.rejects(guard.ready(), { code: "closed" });
  await clock.advance(100);
  await guard.close();
  await clock.advance(10_000);
  await refused;
  assert.equal(provider.attempts, 1);
  assert.equal(clock.pending, 0);
});

test("fault 38: a guard that starts during an outage retries less and less often until it has keys", async () => {
  const { makeGuard, provider, clock, mint } = await setUp();
  provider.fail();
  const guard = makeGuard();
  const ready = guard.ready({ timeoutMs: 300_000 });
  await clock.advance(200_000);
  assert.ok(provider.attempts >= 8 && provider.attempts <= 16, `${provider.attempts} attempts`);
  provider.serve(mint.jwks());
  await clock.advance(30_000);
  await ready;
  assert.equal(guard.status().state, "ready");
});
