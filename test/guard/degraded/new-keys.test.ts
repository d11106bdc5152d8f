import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test, type TestContext } from "node:test";
import type { SingleIssuerOptions } from "../../../src/guard/types.ts";
import { jwks, type Guard } from "../../../src/index.ts";
import { memoryStore } from "../../../src/stores/memory.ts";
import { fakeSnapshots } from "../keys/fixture.ts";
import { SharedMap } from "../shared/shared-map.ts";
import { onlyIssuer } from "../fixture.ts";
import { hour, makeFixture, minute, noAnswer, describeDecision } from "./fixture.ts";

/** A guard with keys, and a provider that has rotated its key while its key set cannot be fetched. */
async function rotated(t: TestContext, options: Partial<SingleIssuerOptions> = {}) {
  const world = await makeFixture(t);
  const { provider, clock } = world;
  const start = (): Guard =>
    world.guard({
      keys: jwks(provider.url("jwks"), { fetch: provider.fetch }),
      degraded: "local",
      ...options,
    });
  const guard = start();
  await guard.ready();
  /** Tokens that are signed with the key that the guard has. */
  const proven = Array.from({ length: 10 }, () => provider.token());
  provider.fault("jwks", { refuse: true });
  await provider.rotate();
  await clock.advance(minute);
  return { ...world, guard, start, proven };
}

/** The token's claims with a wrong signature. */
function forged(token: string, fill = "forged"): string {
  return `${token.slice(0, token.lastIndexOf("."))}.${Buffer.alloc(64, fill).toString("base64url")}`;
}

test("fault 29: the authority confirms tokens of a new key until the key set can be fetched", async (t) => {
  const { guard, provider, clock, asked } = await rotated(t);
  const token = provider.token({ scope: "read" });
  const verdict = await guard.validate(token);
  assert.ok(verdict.status === "valid" && verdict.basis === "authority" && verdict.degraded === null);
  assert.equal(verdict.subject, "user");
  assert.equal((await guard.authorize(token, { scopes: ["write"] })).status, "forbidden");
  assert.deepEqual(asked, [token], "asked once");
  await clock.advance(6 * minute);
  assert.equal(describeDecision(await guard.validate(token)), "valid");
  assert.deepEqual(asked, [token, token], "asked again when the answer has expired");

  provider.restore("jwks");
  await clock.advance(6 * minute);
  provider.fault("introspection", { refuse: true });
  const proved = await guard.validate(token);
  assert.ok(proved.status === "valid" && proved.degraded !== null && proved.basis === "verification");
});

test("fault 29: the authority is not asked about tokens whose claims do not fit or that have no kid", async (t) => {
  const { guard, provider, clock, asked } = await rotated(t);
  const now = clock.now() / 1000;
  const ruledOut = [
    provider.token({ aud: "https://other.example" }),
    provider.token({ sub: undefined }),
    provider.token({ cnf: { jkt: "x" } }),
    provider.token({}, { kid: undefined }),
    provider.token({ nbf: now + hour }, { kid: undefined }),
    provider.token({ aud: "https://other.example", nbf: now + hour }),
  ];
  // The answer must not show which claims the guard accepts.
  for (const token of ruledOut) {
    assert.equal(describeDecision(await guard.validate(token)), "unavailable: key_pending");
  }
  assert.equal(
    describeDecision(await guard.validate(provider.token({ exp: now - hour }))),
    "invalid: expired",
  );
  assert.deepEqual(asked, []);
});

test("fault 29: the authority is not asked about tokens of a fetched key that is too weak", async (t) => {
  const { guard, provider, clock, asked } = await rotated(t);
  const kid = "short";
  const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 1024 });
  const weak = { ...publicKey.export({ format: "jwk" }), kid, alg: "RS256", use: "sig" };
  provider.fault("jwks", { respond: () => Response.json({ keys: [...provider.jwks().keys, weak] }) });
  await clock.advance(6 * minute);
  assert.equal(describeDecision(await guard.validate(provider.token())), "valid");
  provider.fault("jwks", { refuse: true });
  await clock.advance(6 * minute);
  asked.length = 0;
  const token = provider.token({}, { kid, alg: "RS256" });
  for (let i = 0; i < 2; i++)
    assert.equal(describeDecision(await guard.validate(token)), "unavailable: key_pending");
  provider.fault("jwks", { respond: () => Response.json({ keys: [{ ...weak, kid: "alone" }] }) });
  await clock.advance(6 * minute);
  const alone = provider.token({}, { kid: "alone", alg: "RS256" });
  assert.equal(
    describeDecision(await guard.validate(alone)),
    "unavailable: key_pending",
    "a weak key that is alone in its set",
  );
  assert.deepEqual(asked, []);
});

test("law 2, fault 26: an expired token is invalid also without a key or an authority, so that its client refreshes", async (t) => {
  const { guard, provider, clock } = await rotated(t);
  provider.fault("introspection", { refuse: true });
  const token = provider.token({ exp: clock.now() / 1000 + 60 });
  assert.equal(describeDecision(await guard.validate(token)), noAnswer);
  await clock.advance(66_000);
  assert.equal(describeDecision(await guard.validate(token)), "invalid: expired");
});

test("law 7, law 2, fault 29: 100 callers with a token of a new key cause one question, and it expires at its exp", async (t) => {
  const { guard, provider, clock, asked } = await rotated(t);
  const token = provider.token({ exp: clock.now() / 1000 + 60 });
  const verdicts = await Promise.all(Array.from({ length: 100 }, async () => await guard.validate(token)));
  assert.deepEqual(new Set(verdicts.map(describeDecision)), new Set(["valid"]));
  assert.deepEqual(asked, [token]);
  await clock.advance(66_000);
  assert.equal(describeDecision(await guard.validate(token)), "invalid: expired");
});

test("law 1, fault 29: without key and authority a token is unavailable in every degraded mode", async (t) => {
  const { guard, provider } = await rotated(t);
  provider.fault("introspection", { refuse: true });
  for (let i = 0; i < 2; i++)
    assert.equal(describeDecision(await guard.validate(provider.token())), noAnswer);
});

test("law 10, fault 29: an authority that refuses the guard counts as failing a second later, also when only unverified tokens ask it", async (t) => {
  const { guard, provider, clock } = await rotated(t);
  assert.equal(describeDecision(await guard.validate(provider.token())), "valid");
  provider.fault("introspection", { status: 401 });
  const refused = await guard.validate(provider.token());
  assert.equal(describeDecision(refused), "unavailable: authority_misconfigured");
  // A stranger may have made the token, so its failure says nothing about the authority yet.
  assert.equal(onlyIssuer(guard).authority?.failingMs, null);
  await clock.advance(1100);
  assert.equal(onlyIssuer(guard).authority?.cause, "authority_misconfigured");
});

test("law 3, fault 29: the authority cannot confirm a token of a revoked key", async (t) => {
  const { revocations } = memoryStore();
  const { guard, provider, clock } = await rotated(t, { revocations, maxRevocationAgeMs: hour });
  const token = provider.token();
  const until = clock.now() + hour;
  await revocations.append({ kind: "key", id: provider.kid, issuer: provider.issuer, until });
  assert.equal(describeDecision(await guard.validate(token)), "invalid: revoked");
});

test("fault 29: after distrustKeys only a new key set makes tokens valid, not the authority", async (t) => {
  const snapshots = fakeSnapshots();
  const { guard, start, provider, clock, asked } = await rotated(t, { snapshots });
  const token = provider.token();
  const admission = await guard.admit(token);
  assert.ok(admission.status === "admitted");
  const underWay = guard.validate(provider.token());
  guard.distrustKeys();
  assert.match(describeDecision(await underWay), /^unavailable: /);
  asked.length = 0;
  for (let i = 0; i < 2; i++) {
    for (const one of [token, provider.token()]) {
      assert.equal(describeDecision(await guard.validate(one)), "unavailable: keys_unavailable");
    }
  }
  assert.match(
    describeDecision(admission.current()),
    /^unavailable: /,
    "an admitted token is unavailable, too",
  );
  await guard.close();
  const restarted = start();
  assert.equal(describeDecision(await restarted.validate(token)), "unavailable: keys_unavailable");
  assert.deepEqual(asked, []);
  provider.restore("jwks");
  await clock.advance(minute);
  assert.equal(describeDecision(await restarted.validate(token)), "valid");
});

test("fault 29: a no to a forged token does not revoke the token with the same claims", async (t) => {
  const { guard, provider } = await rotated(t);
  const token = provider.token();
  assert.equal(describeDecision(await guard.validate(forged(token))), "invalid: inactive");
  assert.equal(describeDecision(await guard.validate(token)), "valid");
  provider.revoke((JSON.parse(atob(token.split(".")[1] ?? "")) as { jti: string }).jti);
  assert.equal(describeDecision(await guard.validate(forged(token, "another"))), "invalid: inactive");
});

test("fault 29: a no to a token that the authority had confirmed is a revocation", async (t) => {
  const { guard, provider, clock } = await rotated(t);
  const token = provider.token();
  assert.equal(describeDecision(await guard.validate(token)), "valid");
  provider.revoke((JSON.parse(atob(token.split(".")[1] ?? "")) as { jti: string }).jti);
  await clock.advance(6 * minute);
  assert.equal(describeDecision(await guard.validate(token)), "invalid: revoked");
  provider.restore("jwks");
  provider.fault("introspection", { refuse: true });
  await clock.advance(6 * minute);
  assert.equal(describeDecision(await guard.validate(token)), "invalid: revoked");
});

test("law 3, fault 29: a shared answer about a token does not count for an unverified signature", async (t) => {
  const shared = new SharedMap();
  const { guard, start, provider, clock, asked } = await rotated(t, { shared });
  const token = provider.token();
  provider.restore("jwks");
  const other = start();
  await other.ready();
  assert.equal(describeDecision(await other.validate(token)), "valid");
  await clock.advance(100);
  assert.notEqual(shared.kept.size, 0);
  provider.fault("jwks", { refuse: true });
  const before = asked.length;
  assert.equal(describeDecision(await guard.validate(forged(token))), "invalid: inactive");
  assert.equal(asked.length, before + 1);
  provider.fault("introspection", { refuse: true });
  assert.equal(describeDecision(await guard.validate(forged(token, "another"))), noAnswer);
});

test("law 6, fault 31: without keys at most eight forged tokens are asked about at once, and they do not open the breaker", async (t) => {
  const { guard, provider, clock, respondWith, asked, maxInFlight } = await rotated(t);
  const token = provider.token();
  respondWith((said) => (said === token ? { active: true } : new Response("", { status: 502 })));
  for (let round = 0; round < 5; round++) {
    const some = Array.from({ length: 100 }, (_, i) => forged(token, `${round}-${i}.`));
    const heard = (await Promise.all(some.map(async (one) => await guard.validate(one)))).map(
      describeDecision,
    );
    assert.deepEqual(new Set(heard), new Set([noAnswer, "unavailable: overloaded"]));
    await clock.advance(1_000);
  }
  assert.ok(maxInFlight() <= 8 && asked.length <= 5 * 8, `${asked.length} questions`);
  assert.equal(describeDecision(await guard.validate(token)), "valid");
});

test("law 6, fault 31: answers about forged tokens do not hide that the authority fails", async (t) => {
  const { guard, provider, clock, proven, respondWith } = await rotated(t);
  respondWith((said) => (proven.includes(said) ? new Response("", { status: 500 }) : { active: false }));
  for (const [i, token] of proven.entries()) {
    await guard.validate(token);
    if (onlyIssuer(guard).authority?.breaker === "open") return;
    assert.equal(
      describeDecision(await guard.validate(forged(provider.token(), `${i}.`))),
      "invalid: inactive",
    );
    await clock.advance(200);
  }
  assert.fail("the breaker stays closed");
});
