import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createGuard,
  discovered,
  introspection,
  jwks,
  staticKeys,
  tenants,
  type Guard,
  type GuardOptions,
  type IssuerFor,
  type TrustedIssuer,
} from "../../../src/index.ts";
import { memoryStore } from "../../../src/stores/memory.ts";
import { createMint, FakeClock, type Mint } from "../../../src/testing/index.ts";
import { audience, collectMessages } from "../fixture.ts";
import { SharedMap } from "../shared/shared-map.ts";

const one = "https://one.example";
const minute = 60_000;

interface Setup {
  readonly clock: FakeClock;
  readonly mint: Mint;
  readonly asked: string[];
  readonly guard: (issuerFor: IssuerFor, options?: Partial<GuardOptions>) => Guard;
  readonly trusted: (issuer: string) => TrustedIssuer;
}

async function setUp(): Promise<Setup> {
  const clock = new FakeClock();
  const mint = await createMint({ issuer: one, audience, clock });
  const asked: string[] = [];
  return {
    clock,
    mint,
    asked,
    guard: (issuerFor, options = {}) =>
      createGuard({
        clock,
        random: () => 0.5,
        ...options,
        issuerFor: (issuer, call) => {
          asked.push(issuer);
          return issuerFor(issuer, call);
        },
      } as GuardOptions),
    trusted: (issuer) => ({ issuer, audience, keys: staticKeys(mint.jwks()) }),
  };
}

async function outcome(guard: Guard, token: string): Promise<string> {
  const verdict = await guard.validate(token);
  if (verdict.status === "valid") return "valid";
  return verdict.status === "invalid" ? verdict.reason : verdict.cause;
}

test("law 7: many first tokens of one issuer make one question to issuerFor", async () => {
  const { mint, asked, guard, trusted } = await setUp();
  const answer = Promise.withResolvers<TrustedIssuer>();
  const g = guard(async () => await answer.promise);
  const outcomes = Array.from({ length: 50 }, (_, n) => outcome(g, mint.token({ jti: `${n % 10}` })));
  answer.resolve(trusted(one));
  assert.deepEqual(new Set(await Promise.all(outcomes)), new Set(["valid"]));
  assert.deepEqual(asked, [one]);
  assert.equal(await outcome(g, mint.token({ jti: "later" })), "valid");
  assert.deepEqual(asked, [one]);
});

test("a null answer is a wrong issuer, which the guard remembers for a minute", async () => {
  const { clock, mint, asked, guard } = await setUp();
  const g = guard(() => null);
  assert.equal(await outcome(g, mint.token()), "wrong_issuer");
  assert.equal(await outcome(g, mint.token({ jti: "2" })), "wrong_issuer");
  assert.equal(asked.length, 1);
  await clock.advance(minute);
  assert.equal(await outcome(g, mint.token()), "wrong_issuer");
  assert.equal(asked.length, 2);
});

test("law 1: a failing or silent issuerFor makes the token unavailable and not invalid", async () => {
  const { clock, mint, guard, trusted } = await setUp();
  const failures = collectMessages("issuer_failed");
  let answer: IssuerFor = () => {
    throw new Error("secret of the database");
  };
  const g = guard((issuer, call) => answer(issuer, call));
  assert.equal(await outcome(g, mint.token()), "issuer_unavailable");
  assert.equal(g.status().foundIssuers?.lastError, "Error");
  assert.equal(g.status().state, "degraded");
  answer = async () => await new Promise<never>(() => {});
  const slow = outcome(g, mint.token());
  await clock.advance(5_000);
  assert.equal(await slow, "issuer_unavailable");
  answer = trusted;
  assert.equal(await outcome(g, mint.token()), "valid");
  assert.equal(g.status().state, "ready");
  const messages = failures.stop();
  assert.deepEqual(messages, [`"${one}" cannot be used: issuerFor: Error`]);
});

test("an answer that names another issuer, or breaks a rule of the guard, trusts nothing", async () => {
  const { mint, guard, trusted } = await setUp();
  const wrong: unknown[] = [
    trusted("https://two.example"),
    { ...trusted(one), audience: undefined },
    { ...trusted(one), issuer: tenants("https://{x}.one.example", { x: "any" }) },
    { ...trusted(one), authority: { kind: "introspection", opaque: /x/, open: () => ({}) } },
    "yes",
  ];
  for (const answer of wrong) {
    const g = guard(() => answer as TrustedIssuer);
    assert.equal(await outcome(g, mint.token()), "issuer_unavailable");
    assert.match(g.status().foundIssuers?.lastError ?? "", /issuerFor/);
  }
});

test("beside shared answers, issuerFor may name an authority with an identity only", async () => {
  const { mint, guard, trusted } = await setUp();
  const authority = introspection({ url: `${one}/ask`, clientId: "guard", clientSecret: "secret" });
  const { identity: _, ...unnamed } = authority;
  const errorFor = async (asked: typeof unnamed) => {
    const g = guard(() => ({ ...trusted(one), authority: asked }), { shared: new SharedMap() });
    await outcome(g, mint.token());
    await g.close();
    return g.status().foundIssuers?.lastError;
  };
  assert.equal(await errorFor(authority), null);
  assert.match((await errorFor(unnamed)) ?? "", /shared needs an authority with an identity/);
});

test("an issuer that issuerFor no longer names is refused within its five minutes, cached tokens too", async () => {
  const { clock, mint, guard, trusted } = await setUp();
  let isCustomer = true;
  const g = guard((issuer) => (isCustomer ? trusted(issuer) : null), { memory: { ttlMs: 3_600_000 } });
  const token = mint.token();
  assert.equal(await outcome(g, token), "valid");
  isCustomer = false;
  await clock.advance(5 * minute);
  assert.equal(await outcome(g, mint.token({ jti: "asks again" })), "valid");
  await clock.advance(0);
  assert.equal(await outcome(g, token), "wrong_issuer");
  assert.equal(g.status().foundIssuers?.proven, 0);
});

test("known issuers stay trusted for a day while issuerFor fails", async () => {
  const { clock, mint, asked, guard, trusted } = await setUp();
  let isDown = false;
  const g = guard((issuer) => {
    if (isDown) throw new Error("down");
    return trusted(issuer);
  });
  const fresh = () => mint.token({ jti: `${Math.random()}` });
  assert.equal(await outcome(g, fresh()), "valid");
  isDown = true;
  await clock.advance(60 * minute);
  assert.equal(await outcome(g, fresh()), "valid");
  await clock.advance(0);
  assert.equal(await outcome(g, fresh()), "valid");
  assert.equal(asked.length, 2, "the failed question is not repeated at once");
  await clock.advance(24 * 60 * minute);
  assert.equal(await outcome(g, fresh()), "issuer_unavailable");
  isDown = false;
  assert.equal(await outcome(g, fresh()), "valid");
});

test("law 3: new options for an issuer replace the old ones and keep its revocations", async () => {
  const { clock, mint, guard } = await setUp();
  let accepted = audience;
  const { revocations } = memoryStore({ clock });
  const keys = staticKeys(mint.jwks());
  const g = guard((issuer) => ({ issuer, audience: accepted, keys, revocations }));
  const token = mint.token({ jti: "j" });
  assert.equal(await outcome(g, mint.token()), "valid");
  await revocations.append({ kind: "token", id: "j", issuer: one, until: clock.now() + 3_600_000 });
  await clock.advance(1_000);
  assert.equal(await outcome(g, token), "revoked");
  accepted = "https://other.example";
  await clock.advance(5 * minute);
  await outcome(g, mint.token({ jti: "asks again" }));
  await clock.advance(0);
  assert.equal(await outcome(g, mint.token()), "wrong_audience");
  assert.equal(await outcome(g, mint.token({ jti: "j", aud: accepted })), "revoked");
  await g.close();
});

test("law 1: the token that finds an issuer waits for the first read of its revocations, and at most a second", async () => {
  const { clock, mint, guard } = await setUp();
  const { revocations } = memoryStore({ clock });
  const keys = staticKeys(mint.jwks());
  const answer = Promise.withResolvers<void>();
  const feed = {
    after: revocations.after,
    subscribe: revocations.subscribe,
    snapshot: async () => {
      await answer.promise;
      return await revocations.snapshot();
    },
  };
  const g = guard((issuer) => ({ issuer, audience, keys, revocations: feed }));
  const waiting = outcome(g, mint.token());
  await clock.advance(900);
  answer.resolve();
  assert.equal(await waiting, "valid");
  await g.close();

  const silent = guard((issuer) => ({
    issuer,
    audience,
    keys,
    revocations: { ...feed, snapshot: async () => await new Promise<never>(() => {}) },
  }));
  const given = outcome(silent, mint.token());
  await clock.advance(1000);
  assert.equal(await given, "revocations_stale");
  await silent.close();
});

test("the same options in a new object keep the keys that were fetched", async () => {
  const { clock, mint, asked, guard } = await setUp();
  let fetched = 0;
  const fetch = () => (fetched++, Response.json(mint.jwks()));
  const g = guard((issuer) => ({ issuer, audience, keys: jwks(`${issuer}/keys`, { fetch }) }));
  assert.equal(await outcome(g, mint.token()), "valid");
  await clock.advance(6 * minute);
  assert.equal(await outcome(g, mint.token()), "valid");
  await clock.advance(0);
  assert.deepEqual([asked.length, fetched], [2, 1]);
  await g.close();
});

test("law 6: made-up issuers push out no known issuer and grow nothing without bound", async () => {
  const { clock, mint, asked, guard, trusted } = await setUp();
  const known = new Set([one, "https://two.example"]);
  let hang: Promise<unknown> = Promise.resolve();
  const g = guard(async (issuer) => {
    if (known.has(issuer)) return trusted(issuer);
    await hang;
    return null;
  });
  assert.equal(await outcome(g, mint.token()), "valid");
  const forged = (n: number) => g.validate(mint.token({ iss: `https://made-up-${n}.example` }));
  hang = new Promise((resolve) => clock.after(1_000, () => resolve(null)));
  const flood = Array.from({ length: 2_000 }, async (_, n) => await forged(n));
  assert.ok(asked.length <= 257, `${asked.length} questions at once`);
  assert.equal(await outcome(g, mint.token({ jti: "during" })), "valid");
  await clock.advance(1_000);
  const answers = (await Promise.all(flood)).map((verdict) =>
    verdict.status === "invalid"
      ? verdict.reason
      : verdict.status === "unavailable"
        ? verdict.cause
        : verdict.status,
  );
  assert.deepEqual(new Set(answers), new Set(["wrong_issuer", "overloaded"]));
  assert.equal(await outcome(g, mint.token({ iss: "https://two.example" })), "valid");
  assert.deepEqual(g.status().foundIssuers, { proven: 2, unproven: 0, lastError: null });
});

test("law 6: made-up tenants cost their provider few requests, and stop when nobody asks", async () => {
  const { clock, mint } = await setUp();
  const events = collectMessages("keys_failed");
  let running = 0;
  let most = 0;
  let requests = 0;
  const fetch = async (url: string) => {
    requests++;
    most = Math.max(most, ++running);
    await Promise.resolve();
    running--;
    const good = "https://login.example/good";
    if (!url.startsWith(good)) return new Response(null, { status: 400 });
    return Response.json(url.endsWith("keys") ? mint.jwks() : { issuer: good, jwks_uri: `${good}/keys` });
  };
  const g = createGuard({
    issuer: tenants("https://login.example/{tid}", { tid: "any" }),
    audience,
    keys: discovered({ fetch }),
    clock,
    random: () => 0.5,
  });
  const good = (jti: string) => outcome(g, mint.token({ iss: "https://login.example/good", jti }));
  assert.equal(await good("1"), "valid");
  const flood = Array.from({ length: 3_000 }, (_, n) =>
    outcome(g, mint.token({ iss: `https://login.example/t${n}` })),
  );
  assert.equal(await good("2"), "valid");
  await clock.advance(5_000);
  const answers = new Set(await Promise.all(flood));
  assert.deepEqual([...answers].toSorted(), ["keys_unavailable", "overloaded"]);
  assert.ok(most <= 4, `${most} requests at once`);
  await clock.advance(2 * minute);
  const before = requests;
  await clock.advance(10 * minute);
  assert.ok(requests - before <= 2, `${requests - before} requests while nobody asks`);
  assert.equal(g.status().foundIssuers?.proven, 1);
  assert.ok((g.status().foundIssuers?.unproven ?? 0) <= 256);
  assert.deepEqual(events.stop(), []);
  await g.close();
});

test("one broken tenant does not touch the others or the state of the guard", async () => {
  const { mint, clock, guard, trusted } = await setUp();
  const down = jwks("https://down.example/keys", { fetch: () => new Response(null, { status: 500 }) });
  const g = guard((issuer) => (issuer === one ? trusted(one) : { issuer, audience, keys: down }));
  assert.equal(await outcome(g, mint.token({ iss: "https://down.example" })), "keys_unavailable");
  assert.equal(await outcome(g, mint.token()), "valid");
  assert.equal(g.status().state, "ready");
  const notReady = assert.rejects(g.ready({ issuer: "https://down.example", timeoutMs: 1_000 }), {
    code: "not_ready",
  });
  await clock.advance(1_000);
  await notReady;
  await g.ready({ issuer: one });
  await g.close();
});

test("the least recently used issuer makes room, and is found again", async () => {
  const { mint, asked, guard, trusted } = await setUp();
  const g = guard(trusted, { maxIssuers: 2 });
  const use = (name: string, jti: string) => outcome(g, mint.token({ iss: `https://${name}.example`, jti }));
  for (const name of ["one", "two", "one", "three"])
    assert.equal(await use(name, `${asked.length}`), "valid");
  assert.deepEqual(g.status().foundIssuers, { proven: 2, unproven: 0, lastError: null });
  const before = asked.length;
  assert.equal(await use("one", "again"), "valid");
  assert.equal(asked.length, before);
  assert.equal(await use("two", "again"), "valid");
  assert.equal(asked.length, before + 1);
});

test("watch and distrustKeys cover issuers that were found later", async () => {
  const { clock, mint, guard } = await setUp();
  const { revocations } = memoryStore({ clock });
  const g = guard((issuer) => ({ issuer, audience, keys: staticKeys(mint.jwks()), revocations }));
  let calls = 0;
  const end = g.watch(() => void calls++);
  assert.throws(() => g.distrustKeys(one), { code: "invalid_option" });
  assert.equal(await outcome(g, mint.token()), "valid");
  await revocations.append({ kind: "token", id: "j", issuer: one, until: clock.now() + 3_600_000 });
  await clock.advance(1_000);
  assert.equal(calls, 1);
  end();
  g.distrustKeys(one);
  await g.close();
  assert.equal(await outcome(g, mint.token()), "closed");
});
