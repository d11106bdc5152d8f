import assert from "node:assert/strict";
import { test } from "node:test";
import { jwks, type JwksOptions, type Snapshots } from "../../../src/index.ts";
import { createMint, type Mint } from "../../../src/testing/index.ts";
import { UnknownKids, type FirstSeen } from "../../../src/guard/keys/unknown-kids.ts";
import { audience, issuer, makeWorld, own, type World } from "../fixture.ts";
import type { SingleIssuerOptions } from "../../../src/guard/types.ts";
import { endless, FakeKeyEndpoint } from "./provider.ts";
import { recordEvents, fakeSnapshots } from "./fixture.ts";

const url = "https://id.example/.well-known/jwks.json";

interface Served extends World {
  readonly provider: FakeKeyEndpoint;
  readonly keyed: (options?: JwksOptions, more?: Partial<SingleIssuerOptions>) => ReturnType<World["guard"]>;
}

async function makeServed(): Promise<Served> {
  const world = await makeWorld();
  const provider = new FakeKeyEndpoint(world.mint.jwks());
  return {
    ...world,
    provider,
    keyed: (options = {}, more = {}) =>
      world.guard({ keys: jwks(url, { fetch: provider.fetch, ...options }), ...more }),
  };
}

test("law 7: 5,000 concurrent calls with one cold token make one fetch, and one that gives up fails alone", async () => {
  const { provider, keyed, mint } = await makeServed();
  const guard = keyed();
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

test("fault 32: joined callers get the finding, each decides by its own rules", async () => {
  const { keyed, mint } = await makeServed();
  const guard = keyed();
  const token = mint.token({ scope: "a" });
  const [plain, missing, granted] = await Promise.all([
    guard.validate(token),
    guard.authorize(token, { scopes: ["b"] }),
    guard.authorize(token, { scopes: ["a"] }),
  ]);
  assert.deepEqual([plain.status, missing.status, granted.status], ["valid", "forbidden", "valid"]);
});

test("fault 26: a key set past its time serves on through an outage, with at most one attempt in each pause", async () => {
  const { provider, keyed, mint, clock } = await makeServed();
  const guard = keyed({ freshMs: 60_000, coolDownMs: 30_000 });
  await guard.ready();
  provider.fail();
  for (let minute = 0; minute < 60; minute++) {
    await clock.advance(60_000);
    for (let i = 0; i < 5; i++) assert.equal((await guard.validate(mint.token())).status, "valid");
  }
  assert.ok(provider.attempts > 10 && provider.attempts <= 1 + 120, `${provider.attempts} attempts`);
  const { keys, state } = own(guard);
  assert.ok(keys.usable && !keys.fresh && keys.lastError !== null);
  assert.equal(state, "degraded");
  provider.serve(mint.jwks());
  await clock.advance(120_000);
  await guard.validate(mint.token());
  await clock.advance(0);
  assert.equal(guard.status().state, "ready");
});

test("fault 26: a stale set answers at once and is refreshed behind the call", async () => {
  const { provider, keyed, mint, clock } = await makeServed();
  const guard = keyed({ freshMs: 60_000 });
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

test("fault 27: an unusable answer never takes the place of a good set", async () => {
  for (const [what, answer] of unusable) {
    const { provider, keyed, mint, clock } = await makeServed();
    const guard = keyed({ freshMs: 60_000 });
    await guard.ready();
    provider.answer = answer;
    await clock.advance(70_000);
    const { lastError, kids } = own(guard).keys;
    assert.equal(provider.attempts, 2, what);
    assert.ok(lastError !== null, what);
    assert.deepEqual(kids, [mint.kid], what);
    assert.equal((await guard.validate(mint.token())).status, "valid", what);
  }
});

test("law 1, fault 27: without any good set a token is unavailable, whatever the answer was", async () => {
  for (const [what, answer] of unusable) {
    const { provider, keyed, mint } = await makeServed();
    provider.answer = answer;
    const verdict = await keyed().validate(mint.token());
    assert.ok(verdict.status === "unavailable" && verdict.cause === "keys_unavailable", what);
    assert.ok(verdict.retryAfterMs > 0, what);
  }
});

test("fault 27: a body without end is read no further than the limit", async () => {
  const { provider, keyed, mint } = await makeServed();
  const body = endless("x".repeat(1_000));
  provider.answer = () => body.response;
  await keyed({ maxBytes: 10_000 }).validate(mint.token());
  assert.ok(body.sent() <= 13_000, `${body.sent()} bytes`);
  assert.ok(body.cancelled());
});

test("fault 17: a body that drips is given up at the deadline, also by a fetch that ignores its signal", async () => {
  const { provider, keyed, mint, clock } = await makeServed();
  let cancelled = false;
  const pull = async () => await new Promise<void>(() => {});
  provider.answer = () => new Response(new ReadableStream({ pull, cancel: () => void (cancelled = true) }));
  const guard = keyed({ timeoutMs: 5_000 });
  const verdict = guard.validate(mint.token());
  await clock.advance(5_000);
  assert.equal((await verdict).status, "unavailable");
  assert.match(own(guard).keys.lastError ?? "", /5000 ms/);
  assert.ok(cancelled);
});

test("fault 29: a kid that is new during an outage is unavailable, and valid once the set can be fetched", async () => {
  const { provider, keyed, mint, clock } = await makeServed();
  const guard = keyed();
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

test("law 1, fault 27: a set that lay in a cache on the way makes no key unknown that its origin may have since", async () => {
  const { keyed, clock, provider, mint } = await makeServed();
  const guard = keyed({ coolDownMs: 30_000 });
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

test("law 1: a kid is unknown only by a set that was asked for after the kid was first seen", async () => {
  const { keyed, clock, provider } = await makeServed();
  const guard = keyed({ coolDownMs: 30_000 });
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

test("a guard fetches its keys when it is made, and is ready without a call", async () => {
  const { keyed, clock, provider, mint } = await makeServed();
  const guard = keyed();
  await clock.advance(0);
  assert.deepEqual([guard.status().state, provider.attempts], ["ready", 1]);
  provider.fail();
  const other = keyed();
  await clock.advance(0);
  assert.equal(other.status().state, "starting");
  provider.serve({ keys: [] });
  await clock.advance(10_000);
  assert.equal(other.status().state, "starting");
  provider.serve(mint.jwks());
  await clock.advance(30_000);
  assert.equal(other.status().state, "ready");
});

test("law 1: the set that is fetched when the guard is made proves nothing against a kid that comes meanwhile", async () => {
  const { keyed, clock, provider } = await makeServed();
  const guard = keyed();
  const stranger = (await createMint({ issuer, audience, clock })).token();
  const verdict = await guard.validate(stranger);
  assert.ok(verdict.status === "unavailable" && verdict.cause === "key_pending");
  await clock.advance(30_000);
  assert.deepEqual(await guard.validate(stranger), { status: "invalid", reason: "unknown_key" });
  assert.equal(provider.attempts, 2);
});

test("law 1: a kid that somebody guessed before it was published is not held against it", async () => {
  const { keyed, clock, provider, mint } = await makeServed();
  const guard = keyed({ coolDownMs: 30_000 });
  await guard.ready();
  const next = await createMint({ issuer, audience, clock });
  await clock.advance(30_000);
  assert.equal((await guard.validate(mint.token({}, { kid: next.kid }))).status, "invalid");
  provider.serve({ keys: [...mint.jwks().keys, ...next.jwks().keys] });
  await clock.advance(30_000);
  assert.equal((await guard.validate(next.token())).status, "valid");
});

test("law 1: a fetch that was under way when the kid was first seen proves nothing about it", async () => {
  const { keyed, clock, provider, mint } = await makeServed();
  const release = provider.hold(mint.jwks());
  const guard = keyed();
  const good = guard.validate(mint.token());
  await clock.advance(0);
  const stranger = await createMint({ issuer, audience, clock });
  const strange = guard.validate(stranger.token());
  await clock.advance(0);
  release();
  assert.equal((await good).status, "valid");
  assert.equal((await strange).status, "unavailable");
  assert.equal(provider.attempts, 1);
});

test("fault 30: 10,000 unknown kids cause one fetch in each cool-down, and good tokens do not notice", async () => {
  const { keyed, clock, provider, mint } = await makeServed();
  const guard = keyed({ coolDownMs: 30_000 });
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

test("law 9: an invalid finding holds for the key set it was made under", async () => {
  const { keyed, clock, provider, mint } = await makeServed();
  const next = await createMint({ issuer, audience, clock });
  // Another key under the kid that the token names.
  provider.serve({ keys: next.jwks().keys.map((key) => ({ ...key, kid: mint.kid })) });
  const guard = keyed({ freshMs: 60_000 });
  const token = mint.token();
  assert.deepEqual(await guard.validate(token), { status: "invalid", reason: "bad_signature" });
  provider.serve(mint.jwks());
  await clock.advance(70_000);
  await guard.validate(mint.token());
  await clock.advance(0);
  assert.equal((await guard.validate(token)).status, "valid");
});

test("law 1: a key that cannot be used proves nothing by another of its kid, either", async () => {
  const { provider, keyed, mint } = await makeServed();
  const weak = { kty: "RSA", kid: mint.kid, n: "AQAB", e: "AQAB" };
  provider.serve({ keys: [...mint.jwks().keys, weak] });
  const guard = keyed();
  assert.equal((await guard.validate(mint.token())).status, "valid");
  const verdict = await guard.validate(mint.token({}, { alg: "RS256" }));
  assert.equal(verdict.status === "unavailable" && verdict.cause, "key_pending");
});

test("a set that comes again is not read again", async (t) => {
  const { provider, keyed, mint, clock } = await makeServed();
  provider.serve({ keys: [...mint.jwks().keys, { kty: "RSA", n: "AQAB", e: "AQAB" }] });
  const guard = keyed({ freshMs: 60_000 });
  const heard = recordEvents(t);
  assert.equal((await guard.validate(mint.token())).status, "valid");
  await clock.advance(70_000);
  assert.equal(provider.attempts, 2);
  assert.equal((await guard.validate(mint.token())).status, "valid");
  assert.equal(heard.filter(({ event }) => event === "keys_rejected").length, 1);
});

test("a token whose alg is not the one of its key is refused without a fetch", async () => {
  const { keyed, mint, provider, clock } = await makeServed();
  const guard = keyed();
  await guard.ready();
  await clock.advance(60_000);
  const other = await createMint({ issuer, audience, algorithm: "EdDSA", clock });
  const token = other.token({}, { kid: mint.kid });
  assert.deepEqual(await guard.validate(token), { status: "invalid", reason: "wrong_algorithm" });
  assert.equal(provider.attempts, 1);
});

test("law 1: a token without kid is proved by whichever key of the set signed it", async () => {
  const { keyed, mint, provider, clock } = await makeServed();
  const [next, stranger] = [
    await createMint({ issuer, audience, clock }),
    await createMint({ issuer, audience, clock }),
  ];
  provider.serve({ keys: [...next.jwks().keys, ...mint.jwks().keys] });
  const guard = keyed();
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

test("law 1: a token without kid is not refused for a signature by a key that is not here yet", async () => {
  const { keyed, mint, provider, clock } = await makeServed();
  const next = await createMint({ issuer, audience, clock });
  const nameless = (one: Mint) => ({ keys: one.jwks().keys.map((key) => ({ ...key, kid: undefined })) });
  const tokenOf = (one: Mint) => one.token({}, { kid: undefined });
  provider.serve(nameless(mint));
  const guard = keyed({ coolDownMs: 30_000 });
  assert.equal((await guard.validate(tokenOf(mint))).status, "valid");
  await clock.advance(30_000);
  provider.fail();
  const token = tokenOf(next);
  for (let i = 0; i < 3; i++) {
    const verdict = await guard.validate(token);
    assert.ok(verdict.status === "unavailable" && verdict.cause === "key_pending");
  }
  assert.equal(provider.attempts, 2);
  provider.serve(nameless(next));
  await clock.advance(60_000);
  assert.equal((await guard.validate(token)).status, "valid");
  assert.equal((await guard.validate(token)).status, "valid");
  const old = tokenOf(mint);
  assert.equal((await guard.validate(old)).status, "unavailable");
  assert.equal(provider.attempts, 3);
  await clock.advance(30_000);
  assert.deepEqual(await guard.validate(old), { status: "invalid", reason: "bad_signature" });
});

test("law 1: a set that was fetched before a token without kid came proves nothing against it", async () => {
  const { keyed, mint, provider, clock } = await makeServed();
  const next = await createMint({ issuer, audience, clock });
  const guard = keyed({ coolDownMs: 30_000 });
  await guard.ready();
  await clock.advance(30_000);
  const forged = (await createMint({ issuer, audience, clock })).token({}, { kid: undefined });
  // Its fetch comes before the rotation, and before the token of the new key.
  assert.deepEqual(await guard.validate(forged), { status: "invalid", reason: "bad_signature" });
  provider.serve({ keys: [...mint.jwks().keys, ...next.jwks().keys] });
  const token = next.token({}, { kid: undefined });
  const pending = await guard.validate(token);
  assert.ok(pending.status === "unavailable" && pending.cause === "key_pending");
  await clock.advance(pending.retryAfterMs);
  assert.equal((await guard.validate(token)).status, "valid");
});

test("fault 37: the last good set of an earlier run serves a start during an outage", async () => {
  const { keyed, mint, provider, clock } = await makeServed();
  const snapshots = fakeSnapshots();
  await keyed({}, { snapshots }).ready();
  await clock.advance(60_000);
  provider.fail();
  const restarted = keyed({}, { snapshots });
  await restarted.ready();
  assert.equal((await restarted.validate(mint.token())).status, "valid");
  assert.equal(own(restarted).keys.ageMs, 60_000);
  assert.equal([...snapshots.saved].length, 1);
  const elsewhere = keyed({}, { snapshots, issuer: "https://other.example" });
  assert.equal((await elsewhere.validate(mint.token())).status, "unavailable");
});

test("snapshots that fail, hang or hold nonsense are no error of the caller", async () => {
  const never = async () => await new Promise<never>(() => {});
  const broken = async () => await Promise.reject(new Error("disk"));
  const nonsense = { load: async () => await Promise.resolve("nonsense"), save: broken };
  for (const snapshots of [{ load: broken, save: broken }, { load: never, save: never }, nonsense]) {
    const { keyed, mint, clock } = await makeServed();
    const verdict = keyed({}, { snapshots }).validate(mint.token());
    await clock.advance(1_000);
    assert.equal((await verdict).status, "valid");
  }
});

test("jwks takes https, or http on this machine, and nothing else", () => {
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

test("a snapshot that loads late does not take the place of a set that was fetched", async () => {
  const { keyed, mint, provider, clock } = await makeServed();
  const snapshots = fakeSnapshots();
  await keyed({}, { snapshots }).ready();
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
  const guard = keyed({}, { snapshots: late });
  const waiting = guard.validate(next.token());
  // Given up after a second, so the set is fetched.
  await clock.advance(1_000);
  assert.equal((await waiting).status, "valid");
  release();
  await clock.advance(0);
  assert.deepEqual(own(guard).keys.kids, [next.kid]);
  assert.notEqual((await guard.validate(mint.token())).status, "valid");
});

test("law 1: a guard that is closed while a call waits for keys does not decide any more", async () => {
  const { keyed, mint, provider, clock } = await makeServed();
  const release = provider.hold(mint.jwks());
  const guard = keyed();
  const waiting = guard.validate(mint.token());
  await clock.advance(0);
  await guard.close();
  release();
  const verdict = await waiting;
  assert.ok(verdict.status === "unavailable" && verdict.cause === "closed");
});

test("closing gives up a fetch that hangs, and who waits for it hears at once", async () => {
  const { keyed, mint, provider, clock } = await makeServed();
  const signals: (AbortSignal | null | undefined)[] = [];
  provider.answer = async (signal) => {
    signals.push(signal);
    return await new Promise<never>(() => {});
  };
  const guard = keyed();
  const waiting = guard.validate(mint.token());
  await clock.advance(100);
  await guard.close();
  const verdict = await waiting;
  assert.ok(verdict.status === "unavailable" && verdict.cause === "closed");
  assert.equal(signals[0]?.aborted, true);
  assert.equal(clock.pending, 0);
});

test("fault 30: first sights of unknown kids are kept for a bounded number of them", () => {
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

test("a guard that is closed while it waits for keys stops asking, and says that it was closed", async () => {
  const { keyed, provider, clock } = await makeServed();
  provider.fail();
  const guard = keyed();
  const refused = assert.rejects(guard.ready(), { code: "closed" });
  await clock.advance(100);
  await guard.close();
  await clock.advance(10_000);
  await refused;
  assert.equal(provider.attempts, 1);
  assert.equal(clock.pending, 0);
});

test("fault 38: a guard that starts during an outage asks less and less often until it has keys", async () => {
  const { keyed, provider, clock, mint } = await makeServed();
  provider.fail();
  const guard = keyed();
  const ready = guard.ready({ timeoutMs: 300_000 });
  await clock.advance(200_000);
  assert.ok(provider.attempts >= 8 && provider.attempts <= 16, `${provider.attempts} attempts`);
  provider.serve(mint.jwks());
  await clock.advance(30_000);
  await ready;
  assert.equal(guard.status().state, "ready");
});
