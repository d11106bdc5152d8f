import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { test } from "node:test";
import type { DecisionEvent } from "../../src/core/events.ts";
import { cacheHealthCheck } from "../../src/cache/index.ts";
import { sharedSecret, type KeySource } from "../../src/index.ts";
import { createMint } from "../../src/testing/index.ts";
import { audience, countLookups, issuer, collectMessages, makeFixture } from "./fixture.ts";
import { staticKeys } from "../../src/guard/keys/static-keys.ts";

test("a good token is valid by verification, then from memory, with the same frozen claims", async () => {
  const { guard, mint } = await makeFixture();
  const g = guard();
  const token = mint.token({ scope: "orders:read  orders:write", sid: "s1", deep: { list: [1] } });
  const first = await g.validate(token);
  const second = await g.validate(token);
  assert.ok(first.status === "valid" && second.status === "valid");
  assert.equal(first.from, "verification");
  assert.equal(second.from, "memory");
  assert.equal(first.subject, "user");
  assert.equal(first.sessionId, "s1");
  assert.deepEqual(first.scopes, ["orders:read", "orders:write"]);
  assert.equal(first.expiresAt, (first.claims.exp ?? 0) * 1000);
  assert.equal(first.revocationAgeMs, null);
  assert.equal(first.claims, second.claims);
  assert.ok(Object.isFrozen(first.claims) && Object.isFrozen(first.scopes));
  assert.ok(Object.isFrozen((first.claims["deep"] as { list: number[] }).list));
});

test("the guard reads scopes from scope or scp, as an array or as one string", async () => {
  const { guard, mint } = await makeFixture();
  const g = guard();
  for (const scp of [["a", "b"], "a b"]) {
    const decision = await g.authorize(mint.token({ scp }), { scopes: ["a", "b"] });
    const asScope = await g.authorize(mint.token({ scope: scp }), { scopes: ["a", "b"] });
    assert.equal(asScope.status, "valid");
    assert.equal(decision.status, "valid");
  }
  const both = await g.authorize(mint.token({ scope: "a", scp: ["b"] }), { scopes: ["b"] });
  assert.equal(both.status, "forbidden");
  const none = await g.authorize(mint.token({ scp: [1, null] }), { scopes: ["a"] });
  assert.deepEqual(none, { status: "forbidden", missing: ["a"] });
});

test("law 9: the rules of a route apply to their own call only", async () => {
  const { guard, mint } = await makeFixture();
  const g = guard();
  const token = mint.token({ scope: "a" });
  assert.equal((await g.authorize(token, { scopes: ["a"] })).status, "valid");
  assert.deepEqual(await g.authorize(token, { scopes: ["a", "b", "c"] }), {
    status: "forbidden",
    missing: ["b", "c"],
  });
  assert.equal((await g.authorize(token)).status, "valid");
});

test("law 9: a route narrows the audiences of its guard to its own, and never widens them", async () => {
  const { guard, mint } = await makeFixture();
  const g = guard({ audience: [audience, "https://stock.example"] });
  const token = (aud: unknown) => mint.token({ aud });
  const wrongAudience = { status: "invalid", reason: "wrong_audience" };
  for (const rule of [audience, [audience], [audience, "https://nobody.example"]]) {
    assert.equal((await g.authorize(token(audience), { audience: rule })).status, "valid");
    assert.equal((await g.authorize(token(["x", audience]), { audience: rule })).status, "valid");
    assert.deepEqual(await g.authorize(token("https://stock.example"), { audience: rule }), wrongAudience);
  }
  assert.equal((await g.authorize(token("https://stock.example"))).status, "valid");
  const foreign = await g.authorize(token("https://nobody.example"), { audience: "https://nobody.example" });
  assert.deepEqual(foreign, wrongAudience);
});

test("law 9: authorize rejects unknown and malformed rules", async () => {
  const { guard, mint } = await makeFixture();
  const g = guard();
  const token = mint.token();
  const wrong: object[] = [{ scope: ["a"] }, { scopes: "a" }, { maxRevocationAgeMs: Number.NaN }];
  wrong.push({ audience: "" }, { audience: [] }, { audience: [1] }, { audience: null });
  for (const rules of wrong) await assert.rejects(g.authorize(token, rules), { code: "invalid_option" });
});

test("law 2: a cached token is expired from exp plus the tolerance on, to the millisecond", async () => {
  const { guard, mint, clock } = await makeFixture();
  const g = guard({ clockToleranceMs: 5_000, memory: { ttlMs: 3_600_000 } });
  const token = mint.token({ exp: clock.now() / 1000 + 60 });
  await g.validate(token);
  await clock.advance(64_999);
  const last = await g.validate(token);
  assert.ok(last.status === "valid" && last.from === "memory");
  await clock.advance(1);
  assert.deepEqual(await g.validate(token), { status: "invalid", reason: "expired" });
});

test("law 2: a cached token does not outlive exp when the wall clock steps over it or the machine is suspended", async () => {
  for (const move of ["setWall", "suspend"] as const) {
    const { guard, mint, clock } = await makeFixture();
    const g = guard({ memory: { ttlMs: 3_600_000 } });
    const token = mint.token({ exp: clock.now() / 1000 + 60 });
    await g.validate(token);
    if (move === "suspend") clock.suspend(65_000);
    else clock.setWall(clock.now() + 65_000);
    assert.equal((await g.validate(token)).status, "unavailable");
    await clock.advance(60_000);
    assert.deepEqual(await g.validate(token), { status: "invalid", reason: "expired" });
  }
});

test("fault 34: a token that has expired by one clock only is unavailable, and the step is reported once", async () => {
  for (const jumpMs of [3_600_000, -3_600_000]) {
    const { guard, mint, clock } = await makeFixture();
    const g = guard();
    const jumps = collectMessages("clock_stepped");
    // Past its life by one clock, well within it by the other.
    const now = clock.now() / 1000;
    const token = mint.token({ iat: now - 7_200, exp: now + 600 });
    assert.equal((await g.validate(token)).status, "valid");
    if (jumpMs < 0) await clock.advance(900_000);
    clock.setWall(clock.now() + jumpMs);
    for (let i = 0; i < 3; i++) {
      const verdict = await g.validate(token);
      assert.ok(verdict.status === "unavailable" && verdict.cause === "clock_uncertain");
    }
    assert.equal(g.status().state, "degraded");
    assert.equal(g.status().clockSteppedMs, jumpMs);
    assert.deepEqual(jumps.stop(), [`the clock went 3600000 ms ${jumpMs > 0 ? "ahead" : "back"}`]);
  }
});

test("fault 34: a token that has expired by both clocks is invalid, and a token issued after a suspend is valid", async () => {
  const { guard, mint, clock } = await makeFixture();
  const g = guard();
  const old = mint.token({ iat: clock.now() / 1000 - 60, exp: clock.now() / 1000 - 30 });
  clock.suspend(3_600_000);
  assert.deepEqual(await g.validate(old), { status: "invalid", reason: "expired" });
  assert.equal((await g.validate(mint.token())).status, "valid");
});

test("fault 34: a token issued after the clock was set back expires by that clock", async () => {
  const { guard, mint, clock } = await makeFixture();
  const g = guard();
  assert.equal((await g.validate(mint.token())).status, "valid");
  clock.setWall(clock.now() - 3_600_000);
  assert.equal((await g.validate(mint.token())).status, "unavailable");
  await clock.advance(306_000);
  const token = mint.token();
  await clock.advance(1_000);
  assert.equal((await g.validate(token)).status, "valid");
  await clock.advance(604_000);
  assert.deepEqual(await g.validate(token), { status: "invalid", reason: "expired" });
});

test("fault 34: a clock that was set back never revives an expired token", async () => {
  const { guard, mint, clock } = await makeFixture();
  const g = guard();
  const now = clock.now() / 1000;
  const token = mint.token({ iat: now - 7_200, exp: now + 60 });
  assert.equal((await g.validate(token)).status, "valid");
  await clock.advance(120_000);
  assert.deepEqual(await g.validate(token), { status: "invalid", reason: "expired" });
  clock.setWall(clock.now() - 7_200_000);
  for (let minute = 0; minute < 90; minute++) {
    assert.notEqual((await g.validate(token)).status, "valid");
    await clock.advance(60_000);
  }
});

test("law 2, fault 34: a token from the future of a clock that was set back shows that other tokens still expire", async () => {
  const { guard, mint, clock } = await makeFixture();
  const g = guard();
  const stepMs = 40_000;
  /** The clock of the issuer, which nobody sets. */
  const issuerNow = () => Math.floor((clock.now() + stepMs) / 1000);
  const issue = () => mint.token({ iat: issuerNow(), exp: issuerNow() + 30 });
  assert.equal((await g.validate(mint.token())).status, "valid");
  clock.setWall(clock.now() - stepMs);
  assert.equal((await g.validate(mint.token())).status, "valid");
  await clock.advance(10_000);
  const old = issue();
  assert.equal((await g.validate(old)).status, "valid");
  await clock.advance(36_000);
  clock.suspend(10_000);
  for (let round = 0; round < 10; round++) {
    assert.notEqual((await g.validate(old)).status, "valid");
    await clock.advance(5_000);
  }
});

test("law 2: a wall clock that is set back does not extend the life of a cache entry", async () => {
  const { guard, mint, clock } = await makeFixture();
  const g = guard({ memory: { ttlMs: 60_000 } });
  const token = mint.token();
  await g.validate(token);
  await clock.advance(30_000);
  clock.setWall(clock.now() - 25_000);
  await clock.advance(30_000);
  const again = await g.validate(token);
  assert.ok(again.status === "valid" && again.from === "verification");
});

test("law 2: a cache entry ends with its token, by the clock that gets there first", async () => {
  const { guard, mint, clock } = await makeFixture();
  const g = guard({ memory: { ttlMs: 3_600_000 } });
  const token = mint.token({ exp: clock.now() / 1000 + 60 });
  await g.validate(token);
  await clock.advance(40_000);
  await g.validate(token);
  clock.setWall(clock.now() - 30_000);
  await clock.advance(25_000);
  assert.equal(g.status().memory.valid.size, 1);
  assert.equal((await g.validate(token)).status, "unavailable");
  assert.equal(g.status().memory.valid.hits, 1);
});

test("fault 35: a token with a future nbf becomes valid at its nbf", async () => {
  const { guard, mint, clock } = await makeFixture();
  const g = guard();
  const token = mint.token({ nbf: clock.now() / 1000 + 60 });
  assert.deepEqual(await g.validate(token), { status: "invalid", reason: "not_yet_valid" });
  await clock.advance(60_000);
  assert.equal((await g.validate(token)).status, "valid");
});

test("law 3: a revocation in this process takes effect on the next call, for cached and cold tokens", async () => {
  const { guard, mint, log, revoke, revokeSubject } = await makeFixture();
  const g = guard({ revocations: log });
  await g.ready();
  const one = mint.token({ jti: "t1", sid: "s1", sub: "u1" });
  const two = mint.token({ jti: "t2", sid: "s2", sub: "u2" });
  const three = mint.token({ jti: "t3", sid: "s3", sub: "u3" });
  for (const token of [one, two, three]) assert.equal((await g.validate(token)).status, "valid");
  await revoke("token", "t1");
  assert.deepEqual(await g.validate(one), { status: "invalid", reason: "revoked" });
  assert.equal((await g.validate(two)).status, "valid");
  await revoke("session", "s2");
  assert.deepEqual(await g.validate(two), { status: "invalid", reason: "revoked" });
  await revokeSubject("u3");
  assert.deepEqual(await g.validate(three), { status: "invalid", reason: "revoked" });
  const cold = mint.token({ sid: "s2" });
  assert.deepEqual(await g.validate(cold), { status: "invalid", reason: "revoked" });
  await g.close();
});

test("law 3: revoking a signing key revokes every token that it signed, also those without kid", async () => {
  const { guard, mint, log, revoke } = await makeFixture();
  const g = guard({ revocations: log });
  await g.ready();
  const tokens = [mint.token(), mint.token({}, { kid: undefined })];
  for (const token of tokens) assert.equal((await g.validate(token)).status, "valid");
  await revoke("key", mint.kid ?? "");
  for (const token of tokens) {
    assert.deepEqual(await g.validate(token), { status: "invalid", reason: "revoked" });
  }
  await g.close();
});

test("law 3: a subject's cut-off spares later tokens, but not tokens without iat", async () => {
  const { guard, mint, log, clock, revokeSubject } = await makeFixture();
  const g = guard({ revocations: log });
  await g.ready();
  await revokeSubject("user");
  const same = mint.token();
  assert.deepEqual(await g.validate(same), { status: "invalid", reason: "revoked" });
  await clock.advance(2_000);
  assert.equal((await g.validate(mint.token())).status, "valid");
  assert.deepEqual(await g.validate(mint.token({ iat: undefined })), {
    status: "invalid",
    reason: "revoked",
  });
  await g.close();
});

test("law 1: the verdict is unavailable when the view of revocations is too old, and a call can only narrow the bound", async () => {
  const { guard, mint, log, clock } = await makeFixture();
  let reachable = true;
  const feed = {
    snapshot: async () => await log.snapshot(),
    after: async (position: Parameters<typeof log.after>[0]) => {
      if (!reachable) throw new Error("down");
      return await log.after(position);
    },
    subscribe: log.subscribe.bind(log),
  };
  const g = guard({ revocations: feed, maxRevocationAgeMs: 60_000 });
  await g.ready();
  const token = mint.token();
  assert.equal((await g.validate(token)).status, "valid");
  reachable = false;
  await clock.advance(30_000);
  const narrow = await g.authorize(token, { maxRevocationAgeMs: 5_000 });
  assert.ok(
    narrow.status === "unavailable" && narrow.cause === "revocations_stale" && narrow.retryAfterMs > 0,
  );
  assert.equal((await g.authorize(token)).status, "valid");
  assert.equal(g.status().state, "degraded");
  assert.equal((await cacheHealthCheck(g)).status, "degraded");
  await clock.advance(31_000);
  const wide = await g.authorize(token, { maxRevocationAgeMs: 600_000 });
  assert.equal(wide.status, "unavailable");
  assert.equal(g.status().state, "unavailable");
  assert.equal(
    (await cacheHealthCheck(g)).status,
    "unavailable",
    "health is unavailable when no token gets an answer",
  );
  reachable = true;
  await clock.advance(6_000);
  assert.equal((await g.validate(token)).status, "valid");
  assert.equal(g.status().state, "ready");
  await g.close();
});

test("law 1: without a log a call that bounds the view's age is unavailable, and createGuard rejects such a bound", async () => {
  const { guard, mint } = await makeFixture();
  const token = mint.token();
  const decision = await guard().authorize(token, { maxRevocationAgeMs: 5_000 });
  assert.ok(decision.status === "unavailable" && decision.cause === "revocations_stale");
  assert.throws(() => guard({ maxRevocationAgeMs: 5_000 }), {
    code: "invalid_option",
    message: /revocations/,
  });
  assert.equal((await guard({ maxRevocationAgeMs: Infinity }).validate(token)).status, "valid");
});

test("law 6: the guard checks the size first, and the shape before it looks for a key", async () => {
  const { guard, mint } = await makeFixture();
  const { keys, lookups } = countLookups(staticKeys(mint.jwks()));
  const g = guard({ keys, maxTokenBytes: 1_000 });
  assert.deepEqual(await g.validate(mint.token({ pad: "x".repeat(1_000) })), {
    status: "invalid",
    reason: "too_large",
  });
  const good = mint.token();
  const bad = [
    undefined,
    7,
    "",
    "a.b",
    "a.b.c",
    "\ud800.\udfff.é",
    good.slice(0, -1),
    `${good}=`,
    ` ${good}`,
  ];
  for (const token of bad) {
    assert.deepEqual(await g.validate(token as string), { status: "invalid", reason: "malformed" });
  }
  assert.equal(lookups(), 0);
  assert.equal((await g.validate(good)).status, "valid");
});

test("law 6: a text with the same low bytes as a cached token is malformed", async () => {
  const { guard, mint } = await makeFixture();
  const g = guard();
  const token = mint.token();
  await g.validate(token);
  // Each code unit has the low byte of the token's character.
  const shifted = Array.from(token, (char) => String.fromCharCode(char.charCodeAt(0) + 256)).join("");
  assert.deepEqual(await g.validate(shifted), { status: "invalid", reason: "malformed" });
});

test("fault 31: 100,000 distinct garbage tokens cause no key look-up and no cache entry", async () => {
  const { guard, mint } = await makeFixture();
  const { keys, lookups } = countLookups(staticKeys(mint.jwks()));
  const g = guard({ keys });
  const good = mint.token();
  await g.validate(good);
  const before = lookups();
  for (let i = 0; i < 100_000; i++) {
    const { status } = await g.validate(i % 2 === 0 ? `garbage ${i}` : `eyJhbGciOiJub25lIn0.e30.${i}`);
    assert.equal(status, "invalid");
  }
  assert.equal(lookups(), before);
  const { valid, invalid } = g.status().memory;
  assert.equal(valid.size, 1);
  assert.equal(invalid.size, 0);
  const again = await g.validate(good);
  assert.ok(again.status === "valid" && again.from === "memory");
});

test("fault 31: forged tokens have a separate small cache budget and evict no good token", async () => {
  const { guard, mint } = await makeFixture();
  const g = guard({ memory: { maxBytes: 64_000 } });
  const good = mint.token();
  await g.validate(good);
  const [header, payload, signature = ""] = good.split(".");
  for (let i = 0; i < 200; i++) {
    const forged = Buffer.from(signature, "base64url");
    forged.writeUInt16BE(forged.readUInt16BE(40) ^ (i + 1), 40);
    const verdict = await g.validate(`${header}.${payload}.${forged.toString("base64url")}`);
    assert.deepEqual(verdict, { status: "invalid", reason: "bad_signature" });
  }
  const { valid, invalid } = g.status().memory;
  assert.ok(invalid.size > 0 && invalid.bytes <= 4_000);
  assert.equal(valid.size, 1);
});

test("fault 14: two guards with different audiences never share a result", async () => {
  const { guard, mint } = await makeFixture();
  const token = mint.token();
  const a = guard();
  const b = guard({ audience: "https://other.example" });
  assert.equal((await a.validate(token)).status, "valid");
  for (let i = 0; i < 2; i++) {
    assert.deepEqual(await b.validate(token), { status: "invalid", reason: "wrong_audience" });
  }
  assert.equal((await a.validate(token)).status, "valid");
});

test("sharedSecret verifies its own algorithm and rejects other algorithms and short secrets", async () => {
  const { guard, mint: other, clock } = await makeFixture();
  const mint = await createMint({ issuer, audience, algorithm: "HS256", clock });
  const g = guard({ keys: sharedSecret(mint.secret as Uint8Array, "HS256") });
  assert.equal((await g.validate(mint.token())).status, "valid");
  assert.deepEqual(await g.validate(other.token()), { status: "invalid", reason: "wrong_algorithm" });
  assert.throws(() => sharedSecret(new Uint8Array(31), "HS256"), { code: "invalid_key" });
});

test("an aborted call rejects with the caller's reason", async () => {
  const { guard, mint } = await makeFixture();
  const reason = new Error("gave up");
  await assert.rejects(guard().validate(mint.token(), { signal: AbortSignal.abort(reason) }), reason);
});

test("a closed guard answers unavailable and leaves no timer", async () => {
  const { guard, mint, log, clock } = await makeFixture();
  const g = guard({ revocations: log });
  await g.ready();
  const token = mint.token();
  await g.validate(token);
  await g.close();
  const verdict = await g.validate(token);
  assert.ok(verdict.status === "unavailable" && verdict.cause === "closed" && verdict.retryAfterMs > 0);
  assert.equal(g.status().state, "closed");
  await assert.rejects(g.ready(), { code: "closed" });
  await clock.advance(10_000);
  assert.equal(clock.pending, 0);
});

test("law 1: the verdict is unavailable when the key is withdrawn while a call waits for it", async () => {
  const { guard, mint } = await makeFixture();
  const source = staticKeys(mint.jwks());
  const keys: KeySource = {
    kind: "static",
    open(context) {
      const keyring = source.open(context);
      return {
        ...keyring,
        find: () => [],
        resolve: async ({ kid, algorithm }) =>
          await Promise.resolve({ status: "found", keys: keyring.find(kid, algorithm) }),
        isInForce: () => false,
      };
    },
  };
  const verdict = await guard({ keys }).validate(mint.token());
  assert.ok(verdict.status === "unavailable" && verdict.cause === "key_pending");
});

test("law 1: the verdict is unavailable when the key source throws", async () => {
  const { guard, mint } = await makeFixture();
  const source = staticKeys(mint.jwks());
  const keys: KeySource = {
    kind: "static",
    open: (context) => ({
      ...source.open(context),
      find: () => [],
      resolve: async () => await Promise.reject(new Error("broken")),
    }),
  };
  const verdict = await guard({ keys }).validate(mint.token());
  assert.ok(verdict.status === "unavailable" && verdict.cause === "keys_unavailable");
});

test("law 5: decision events hold no token", async () => {
  const { guard, mint } = await makeFixture();
  const seen: DecisionEvent[] = [];
  const listen = (event: unknown) => void seen.push(event as DecisionEvent);
  const g = guard({ name: "events" });
  const token = mint.token();
  subscribe("holdfast:decision", listen);
  await g.validate(token);
  await g.authorize(token, { scopes: ["a"] });
  await g.validate("garbage");
  unsubscribe("holdfast:decision", listen);
  const common = { guard: "events", degraded: false, durationMs: 0 };
  assert.deepEqual(seen, [
    { ...common, issuer, status: "valid", detail: null, from: "verification", basis: "verification" },
    // One of 256 decisions from memory is timed, and the first one is.
    { ...common, issuer, status: "forbidden", detail: null, from: "memory", basis: null },
    { ...common, issuer: null, status: "invalid", detail: "malformed", from: "verification", basis: null },
  ]);
});

test("ready rejects with the name of the missing part, without secrets", async () => {
  const { guard, clock } = await makeFixture();
  const feed = {
    snapshot: async () => await Promise.reject(new Error("postgres://user:hunter2@db")),
    after: async () => await Promise.reject(new Error("down")),
    subscribe: () => () => {},
  };
  const g = guard({ revocations: feed, name: "api" });
  const waiting = g.ready({ timeoutMs: 1_000 });
  const refused = assert.rejects(waiting, (error: Error & { code: string }) => {
    assert.equal(error.code, "not_ready");
    assert.match(error.message, /guard api .*revocations/);
    assert.doesNotMatch(error.message, /hunter2/);
    return true;
  });
  await clock.advance(1_000);
  await refused;
  assert.equal(g.status().state, "starting");
  await g.close();
});
