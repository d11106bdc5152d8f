import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test, type TestContext } from "node:test";
import type { SingleIssuerOptions } from "../../../src/guard/types.ts";
import { jwks, type Guard } from "../../../src/index.ts";
import { memoryStore } from "../../../src/stores/memory.ts";
import { fakeSnapshots } from "../keys/fixture.ts";
import { SharedMap } from "../shared/shared-map.ts";
import { own } from "../fixture.ts";
import { hour, makeWorld, minute, out, short } from "./fixture.ts";

/** A guard that has keys, and a provider that signs with another since its set cannot be fetched. */
async function rotated(t: TestContext, options: Partial<SingleIssuerOptions> = {}) {
  const world = await makeWorld(t);
  const { provider, clock } = world;
  const start = (): Guard =>
    world.guard({
      keys: jwks(provider.url("jwks"), { fetch: provider.fetch }),
      degraded: "local",
      ...options,
    });
  const guard = start();
  await guard.ready();
  /** Signed by the key that it has. */
  const proven = Array.from({ length: 10 }, () => provider.token());
  provider.fault("jwks", { refuse: true });
  await provider.rotate();
  await clock.advance(minute);
  return { ...world, guard, start, proven };
}

/** The same claims under a signature that is none. */
function forged(token: string, fill = "forged"): string {
  return `${token.slice(0, token.lastIndexOf("."))}.${Buffer.alloc(64, fill).toString("base64url")}`;
}

test("fault 29: a key that is new while none can be fetched: the authority proves its tokens, and the key when it is here", async (t) => {
  const { guard, provider, clock, asked } = await rotated(t);
  const token = provider.token({ scope: "read" });
  const verdict = await guard.validate(token);
  assert.ok(verdict.status === "valid" && verdict.basis === "authority" && verdict.degraded === null);
  assert.equal(verdict.subject, "user");
  assert.equal((await guard.authorize(token, { scopes: ["write"] })).status, "forbidden");
  assert.deepEqual(asked, [token], "once");
  await clock.advance(6 * minute);
  assert.equal(short(await guard.validate(token)), "valid");
  assert.deepEqual(asked, [token, token], "and again when its answer is old");

  provider.restore("jwks");
  await clock.advance(6 * minute);
  provider.fault("introspection", { refuse: true });
  const proved = await guard.validate(token);
  assert.ok(proved.status === "valid" && proved.degraded !== null && proved.basis === "verification");
});

test("fault 29: what the token itself rules out is not asked about, and neither is one without kid", async (t) => {
  const { guard, provider, clock, asked } = await rotated(t);
  const now = clock.now() / 1000;
  const ruledOut = [
    provider.token({ aud: "https://other.example" }),
    provider.token({ sub: undefined }),
    provider.token({ cnf: { jkt: "x" } }),
    provider.token({}, { kid: undefined }),
  ];
  // Who cannot sign learns nothing about the claims that are wanted.
  for (const token of ruledOut) {
    assert.equal(short(await guard.validate(token)), "unavailable: key_pending");
  }
  assert.equal(short(await guard.validate(provider.token({ exp: now - hour }))), "invalid: expired");
  assert.deepEqual(asked, []);
});

test("fault 29: a key that came and was too weak is not asked about", async (t) => {
  const { guard, provider, clock, asked } = await rotated(t);
  const kid = "short";
  const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 1024 });
  const weak = { ...publicKey.export({ format: "jwk" }), kid, alg: "RS256", use: "sig" };
  provider.fault("jwks", { respond: () => Response.json({ keys: [...provider.jwks().keys, weak] }) });
  await clock.advance(6 * minute);
  assert.equal(short(await guard.validate(provider.token())), "valid");
  provider.fault("jwks", { refuse: true });
  await clock.advance(6 * minute);
  asked.length = 0;
  const token = provider.token({}, { kid, alg: "RS256" });
  for (let i = 0; i < 2; i++) assert.equal(short(await guard.validate(token)), "unavailable: key_pending");
  provider.fault("jwks", { respond: () => Response.json({ keys: [{ ...weak, kid: "alone" }] }) });
  await clock.advance(6 * minute);
  const alone = provider.token({}, { kid: "alone", alg: "RS256" });
  assert.equal(short(await guard.validate(alone)), "unavailable: key_pending", "nor one that came alone");
  assert.deepEqual(asked, []);
});

test("law 2, fault 26: what has expired is 401 also without a key or an authority: its client has to refresh", async (t) => {
  const { guard, provider, clock } = await rotated(t);
  provider.fault("introspection", { refuse: true });
  const token = provider.token({ exp: clock.now() / 1000 + 60 });
  assert.equal(short(await guard.validate(token)), out);
  await clock.advance(66_000);
  assert.equal(short(await guard.validate(token)), "invalid: expired");
});

test("law 7, law 2, fault 29: many who bring it ask once, and nobody passes with it after its end", async (t) => {
  const { guard, provider, clock, asked } = await rotated(t);
  const token = provider.token({ exp: clock.now() / 1000 + 60 });
  const verdicts = await Promise.all(Array.from({ length: 100 }, async () => await guard.validate(token)));
  assert.deepEqual(new Set(verdicts.map(short)), new Set(["valid"]));
  assert.deepEqual(asked, [token]);
  await clock.advance(66_000);
  assert.equal(short(await guard.validate(token)), "invalid: expired");
});

test("law 1, fault 29: with neither key nor authority a token is unavailable, and no degraded mode lets it in", async (t) => {
  const { guard, provider } = await rotated(t);
  provider.fault("introspection", { refuse: true });
  for (let i = 0; i < 2; i++) assert.equal(short(await guard.validate(provider.token())), out);
});

test("law 3, fault 29: a key that was revoked proves nothing by way of the authority either", async (t) => {
  const { revocations } = memoryStore();
  const { guard, provider, clock } = await rotated(t, { revocations, maxRevocationAgeMs: hour });
  const token = provider.token();
  const until = clock.now() + hour;
  await revocations.append({ kind: "key", id: provider.kid, issuer: provider.issuer, until });
  assert.equal(short(await guard.validate(token)), "invalid: revoked");
});

test("fault 29: keys that were declared compromised are replaced by keys only", async (t) => {
  const snapshots = fakeSnapshots();
  const { guard, start, provider, clock, asked } = await rotated(t, { snapshots });
  const token = provider.token();
  const admission = await guard.admit(token);
  assert.ok(admission.status === "admitted");
  const underWay = guard.validate(provider.token());
  guard.distrustKeys();
  assert.match(short(await underWay), /^unavailable: /);
  asked.length = 0;
  for (let i = 0; i < 2; i++) {
    for (const one of [token, provider.token()]) {
      assert.equal(short(await guard.validate(one)), "unavailable: keys_unavailable");
    }
  }
  assert.match(short(admission.current()), /^unavailable: /, "nor does a connection go on");
  await guard.close();
  const restarted = start();
  assert.equal(short(await restarted.validate(token)), "unavailable: keys_unavailable");
  assert.deepEqual(asked, []);
  provider.restore("jwks");
  await clock.advance(minute);
  assert.equal(short(await restarted.validate(token)), "valid");
});

test("fault 29: a no to a forgery is no revocation of the token whose claims it bears", async (t) => {
  const { guard, provider } = await rotated(t);
  const token = provider.token();
  assert.equal(short(await guard.validate(forged(token))), "invalid: inactive");
  assert.equal(short(await guard.validate(token)), "valid");
  provider.revoke((JSON.parse(atob(token.split(".")[1] ?? "")) as { jti: string }).jti);
  assert.equal(short(await guard.validate(forged(token, "another"))), "invalid: inactive");
});

test("fault 29: a no to a token that the authority has vouched for is a revocation, whatever comes after", async (t) => {
  const { guard, provider, clock } = await rotated(t);
  const token = provider.token();
  assert.equal(short(await guard.validate(token)), "valid");
  provider.revoke((JSON.parse(atob(token.split(".")[1] ?? "")) as { jti: string }).jti);
  await clock.advance(6 * minute);
  assert.equal(short(await guard.validate(token)), "invalid: revoked");
  provider.restore("jwks");
  provider.fault("introspection", { refuse: true });
  await clock.advance(6 * minute);
  assert.equal(short(await guard.validate(token)), "invalid: revoked");
});

test("law 3, fault 29: what others were told of a token says nothing about a signature that nobody checked", async (t) => {
  const shared = new SharedMap();
  const { guard, start, provider, clock, asked } = await rotated(t, { shared });
  const token = provider.token();
  provider.restore("jwks");
  const other = start();
  await other.ready();
  assert.equal(short(await other.validate(token)), "valid");
  await clock.advance(100);
  assert.notEqual(shared.kept.size, 0);
  provider.fault("jwks", { refuse: true });
  const before = asked.length;
  assert.equal(short(await guard.validate(forged(token))), "invalid: inactive");
  assert.equal(asked.length, before + 1);
  provider.fault("introspection", { refuse: true });
  assert.equal(short(await guard.validate(forged(token, "another"))), out);
});

test("law 6, fault 31: of forgeries while no key can be fetched eight are asked about at once, each once, and none opens the breaker", async (t) => {
  const { guard, provider, clock, says, asked, mostAtOnce } = await rotated(t);
  const token = provider.token();
  says((said) => (said === token ? { active: true } : new Response("", { status: 502 })));
  for (let round = 0; round < 5; round++) {
    const some = Array.from({ length: 100 }, (_, i) => forged(token, `${round}-${i}.`));
    const heard = (await Promise.all(some.map(async (one) => await guard.validate(one)))).map(short);
    assert.deepEqual(new Set(heard), new Set([out, "unavailable: overloaded"]));
    await clock.advance(1_000);
  }
  assert.ok(mostAtOnce() <= 8 && asked.length <= 5 * 8, `${asked.length} questions`);
  assert.equal(short(await guard.validate(token)), "valid");
});

test("law 6, fault 31: what is answered about forgeries does not hide that the authority fails", async (t) => {
  const { guard, provider, clock, proven, says } = await rotated(t);
  says((said) => (proven.includes(said) ? new Response("", { status: 500 }) : { active: false }));
  for (const [i, token] of proven.entries()) {
    await guard.validate(token);
    if (own(guard).authority?.breaker === "open") return;
    assert.equal(short(await guard.validate(forged(provider.token(), `${i}.`))), "invalid: inactive");
    await clock.advance(200);
  }
  assert.fail("the breaker stays closed");
});
