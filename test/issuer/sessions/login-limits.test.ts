import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { issuerEvents } from "../../../src/core/event-channels.ts";
import type { IssuerEvent } from "../../../src/core/events.ts";
import { LoginLimits, type AttemptResult } from "../../../src/issuer/sessions/login-limits.ts";
import { FakeClock } from "../../../src/testing/fake-clock.ts";
import { createFixture, logIn } from "../fixture.ts";

const wrong = { username: "ann", password: "wrong" };
const right = { username: "ann", password: "password of ann" };

/** Makes one attempt on `account` and ends it. Returns `allowed`, or how long the client must wait. */
function attempt(
  limits: LoginLimits,
  account: string | null,
  source: string | undefined,
  result: AttemptResult = "wrong",
): "allowed" | number {
  const outcome = limits.attempt(() => (account === null ? [] : [account]), source);
  if (outcome.status === "limited") return outcome.retryAfterMs;
  outcome.settle(result);
  return "allowed";
}

const WINDOW_MS = 15 * 60_000;

describe("login limits", () => {
  test("law 6: counts of any number of sources and names take bounded memory, and the least recently used are evicted", () => {
    const limits = new LoginLimits(new FakeClock());
    for (let i = 0; i < 100; i++) attempt(limits, `name ${i}`, "192.0.2.1");
    assert.equal(attempt(limits, "bob", "192.0.2.1"), WINDOW_MS);
    for (let i = 0; i < 70_000; i++) attempt(limits, `user ${i}`, `source ${i}`);
    assert.equal(attempt(limits, "bob", "192.0.2.1"), "allowed");
  });

  test("law 6: a source over its limit costs no work on its credentials", () => {
    const limits = new LoginLimits(new FakeClock());
    const refuse = () => assert.fail("the account must not be read");
    for (let i = 0; i < 100; i++) attempt(limits, null, "192.0.2.1");
    assert.equal(limits.attempt(refuse, "192.0.2.1").status, "limited");
  });

  test("limits one source over all accounts, and an IPv6 source by its /64", async () => {
    const { issuer } = createFixture();
    const from = (i: number) => ({ source: `2001:db8:1:2::${i.toString(16)}` });
    for (let i = 0; i < 100; i++) {
      const credentials = { username: `user ${i}`, password: "wrong" };
      assert.equal((await issuer.login(credentials, from(i))).status, "denied");
    }
    assert.equal((await issuer.login(right, from(200))).status, "limited");
    assert.equal((await issuer.login(right, { source: "2001:DB8:1:2::ffff%eth0" })).status, "limited");
    assert.equal((await issuer.login(right, { source: "2001:db8:1:3::1" })).status, "ok");
  });

  test("fault 78: wrong passwords from many /64 count for their /56 and /48, and the next /48 is not refused", () => {
    const limits = new LoginLimits(new FakeClock());
    const allowed = (networks: (i: number) => string) => {
      let count = 0;
      for (let i = 0; i < 1000; i++) if (attempt(limits, `user ${i}`, networks(i)) === "allowed") count++;
      return count;
    };
    const hex = (i: number) => i.toString(16).padStart(2, "0");
    assert.equal(
      allowed((i) => `2001:db8:0:77${hex(i % 256)}::1`),
      200,
      "one /56",
    );
    assert.equal(
      allowed((i) => `2001:db8:0:${hex(i % 256)}00::1`),
      200,
      "the rest of its /48",
    );
    assert.equal(attempt(limits, "ann", "2001:db8:1::1"), "allowed");
    assert.equal(attempt(limits, "ann", "192.0.2.1"), "allowed");
  });

  test("fault 78: a source that logged in before is not refused for the rest of its /48, only for itself", () => {
    const limits = new LoginLimits(new FakeClock());
    const own = "2001:db8:0:ffff::1";
    attempt(limits, "ann", own, "correct");
    for (let i = 0; i < 1000; i++) attempt(limits, "ann", `2001:db8:0:${i.toString(16)}::1`);
    assert.equal(attempt(limits, "bob", own), WINDOW_MS, "another account of the source is not known");
    assert.equal(attempt(limits, "ann", own, "correct"), "allowed");
    for (let i = 0; i < 10; i++) assert.equal(attempt(limits, "ann", own), "allowed");
    assert.equal(attempt(limits, "ann", own), WINDOW_MS);
  });

  test("fault 78: only an account and source that logged in before get a place in the lane that is kept", () => {
    const limits = new LoginLimits(new FakeClock());
    const placeOf = (accounts: string[], source: string | undefined) => {
      const outcome = limits.attempt(() => accounts, source);
      assert.ok(outcome.status === "allowed");
      outcome.settle("unchecked");
      return outcome.place;
    };
    attempt(limits, "ann", "192.0.2.1", "correct");
    assert.deepEqual(placeOf(["ann"], "192.0.2.1"), { lane: "known", group: "192.0.2" });
    assert.equal(placeOf(["bob"], "192.0.2.1").lane, "unknown");
    assert.equal(placeOf(["ann"], "192.0.2.2").lane, "unknown");
    assert.equal(placeOf(["ann", "bob"], "192.0.2.1").lane, "unknown");
    assert.equal(placeOf([], "192.0.2.1").lane, "unknown");
    assert.deepEqual(
      placeOf([], "2001:db8:0:1::1").group,
      placeOf([], "2001:db8:0:ffff::1").group,
      "one /48 shares its turns",
    );
    attempt(limits, "ann", undefined, "correct");
    assert.equal(placeOf(["ann"], undefined).lane, "unknown");
  });

  test("fault 61: parallel guesses count before they are checked, and attempts under way are worth a short wait", async () => {
    const waiting: ((answer: null) => void)[] = [];
    const { issuer } = createFixture({
      authenticate: async () => await new Promise<null>((resolve) => waiting.push(resolve)),
    });
    await issuer.ready();
    const guesses = Array.from(
      { length: 30 },
      async () => await issuer.login(wrong, { source: "192.0.2.1" }),
    );
    const early = (await Promise.all(guesses.slice(10))).map((outcome) => outcome);
    assert.ok(early.every((outcome) => outcome.status === "limited" && outcome.retryAfterMs === 1000));
    while (waiting.length < 10) await new Promise(setImmediate);
    assert.equal(waiting.length, 10);
    for (const answer of waiting) answer(null);
    await Promise.all(guesses);
    const late = await issuer.login(wrong, { source: "192.0.2.1" });
    assert.ok(late.status === "limited" && late.retryAfterMs > 1000);
  });

  test("fault 78: right passwords in parallel are never refused for long, and leave no count behind", async () => {
    const { issuer } = createFixture();
    for (let round = 0; round < 5; round++) {
      const logins = Array.from(
        { length: 40 },
        async () => await issuer.login(right, { source: "192.0.2.1" }),
      );
      for (const outcome of await Promise.all(logins)) {
        assert.ok(outcome.status === "ok" || (outcome.status === "limited" && outcome.retryAfterMs === 1000));
      }
    }
    await logIn(issuer, "ann", "192.0.2.1");
  });

  test("property: counts end at the wrong credentials of their window, whatever ends in whatever order", () => {
    const results = fc.constantFrom<AttemptResult>("correct", "wrong", "unchecked", "abandoned");
    const steps = fc.array(fc.record({ result: results, endsFirst: fc.boolean() }), { maxLength: 60 });
    fc.assert(
      fc.property(steps, (plan) => {
        const limits = new LoginLimits(new FakeClock());
        const open: { settle: (result: AttemptResult) => void; result: AttemptResult }[] = [];
        let pair = 0;
        let source = 0;
        const end = () => {
          const one = open.shift();
          if (one === undefined) return;
          one.settle(one.result);
          if (one.result === "wrong") pair++;
          if (one.result === "correct") pair = 0;
          if (one.result === "wrong" || one.result === "abandoned") source++;
        };
        for (const { result, endsFirst } of plan) {
          if (endsFirst) end();
          const outcome = limits.attempt(() => ["ann"], "192.0.2.1");
          const isAllowed = pair + open.length < 10 && source + open.length < 100;
          assert.equal(outcome.status, isAllowed ? "allowed" : "limited");
          if (outcome.status === "allowed") open.push({ settle: outcome.settle, result });
          else assert.equal(outcome.retryAfterMs === 1000, pair < 10 && source < 100);
        }
      }),
    );
  });

  test("fault 61: a client that goes away during the check costs its source an attempt, and the account none", async () => {
    let leaveDuringCheck = () => {};
    const { issuer } = createFixture({
      authenticate: async (_, { signal }) => {
        leaveDuringCheck();
        signal.throwIfAborted();
        return await Promise.resolve(null);
      },
    });
    const leave = async (username: string) => {
      const controller = new AbortController();
      leaveDuringCheck = () => controller.abort(new Error("gone"));
      const info = { source: "192.0.2.1", signal: controller.signal };
      await assert.rejects(async () => await issuer.login({ username, password: "x" }, info), /gone/);
      leaveDuringCheck = () => {};
    };
    for (let i = 0; i < 99; i++) await leave("ann");
    assert.equal((await issuer.login(wrong, { source: "192.0.2.1" })).status, "denied");
    assert.equal((await issuer.login(wrong, { source: "192.0.2.1" })).status, "limited");
  });
});

test("fault 78: a flood of guesses from one /48 does not make the login of another network wait behind it", async () => {
  const { issuer } = createFixture({ authenticate: undefined } as object);
  await issuer.users.add({ username: "ann", password: "password of ann" });
  for (const source of ["192.0.2.1", "198.51.100.1"]) {
    let ended = 0;
    const flood = Array.from({ length: 60 }, async (_, i) => {
      const from = `2001:db8:${source.length}:${i.toString(16)}::1`;
      await issuer.login({ username: `user ${i}`, password: "wrong" }, { source: from });
      ended++;
    });
    // The first login of a source has no place that is kept, and takes its turn among the networks.
    await new Promise(setImmediate);
    await logIn(issuer, "ann", source);
    assert.ok(ended < 20, `${ended} guesses of the flood went first`);
    await Promise.all(flood);
  }
});

test("fault 78: the audit event of a limited source in a private network names the setting that a proxy needs", async () => {
  for (const [source, named] of [
    ["10.0.0.7", true],
    ["::ffff:192.168.0.1", true],
    ["fd00::1", true],
    ["192.0.2.1", false],
    ["2001:db8::1", false],
  ] as const) {
    const { issuer, store } = createFixture();
    for (let i = 0; i < 11; i++) await issuer.login(wrong, { source });
    const [last] = await store.audit.recent(1);
    assert.equal(last?.kind, "login_limited");
    assert.equal(last.detail?.includes("HOLDFAST_TRUSTED_PROXIES") ?? false, named, source);
  }
});

describe("login limits without an address", () => {
  test("fault 78: wrong passwords of strangers lock no other user out, and one event warns", async () => {
    const seen: IssuerEvent[] = [];
    const listen = (event: unknown) => seen.push(event as IssuerEvent);
    issuerEvents.subscribe(listen);
    const { issuer } = createFixture();
    for (let i = 0; i < 300; i++) {
      const credentials = { username: `user ${i}`, password: "wrong" };
      assert.equal((await issuer.login(credentials)).status, "denied");
    }
    await logIn(issuer);
    issuerEvents.unsubscribe(listen);
    assert.deepEqual(
      seen.map(({ event }) => event),
      ["login_source_unknown"],
    );
  });

  test("fault 61: wrong passwords for one account are limited", async () => {
    const { issuer } = createFixture();
    for (let i = 0; i < 10; i++) assert.equal((await issuer.login(wrong)).status, "denied");
    assert.equal((await issuer.login(right)).status, "limited");
    await logIn(issuer, "bob");
  });
});

describe("the account that login limits count", () => {
  const source = "192.0.2.1";
  const deny = { authenticate: () => null };

  for (const member of ["username", "email", "login", "user", "phone", "account"]) {
    test(`fault 78: the member ${member} names an account`, async () => {
      const { issuer } = createFixture(deny);
      for (let i = 0; i < 10; i++) {
        const name = i % 2 === 0 ? "Ann@Example.com" : " ann@example.com ";
        const status = (await issuer.login({ [member]: name, nonce: i }, { source })).status;
        assert.equal(status, "denied");
      }
      assert.equal((await issuer.login({ [member]: "ann@example.com" }, { source })).status, "limited");
      assert.equal((await issuer.login({ [member]: "bob@example.com" }, { source })).status, "denied");
    });
  }

  test("fault 78: another member beside the one that is guessed does not hide the guesses", async () => {
    const { issuer } = createFixture(deny);
    const guess = async (i: number) =>
      (await issuer.login({ email: "ann@example.com", username: `user ${i}` }, { source })).status;
    for (let i = 0; i < 10; i++) assert.equal(await guess(i), "denied");
    assert.equal(await guess(10), "limited");
  });

  test("fault 78: a right login that also names another account does not reset the count of that account", async () => {
    const { issuer } = createFixture({
      authenticate: ({ email }) => (email === "eve" ? { subject: "eve", scopes: [] } : null),
    });
    for (let i = 0; i < 9; i++) await issuer.login({ email: "ann" }, { source });
    assert.equal((await issuer.login({ email: "eve", username: "ann" }, { source })).status, "ok");
    assert.equal((await issuer.login({ email: "ann" }, { source })).status, "denied");
    assert.equal((await issuer.login({ email: "ann" }, { source })).status, "limited");
  });

  test("fault 78: the option account names the account from any member", async () => {
    const { issuer } = createFixture({
      ...deny,
      account: ({ tenant, staff }) => (typeof staff === "number" ? `${String(tenant)}/${staff}` : null),
    });
    const guess = async (tenant: string, staff: number | undefined, i: number) =>
      (await issuer.login({ tenant, staff, username: `user ${i}` }, { source })).status;
    for (let i = 0; i < 10; i++) assert.equal(await guess(i % 2 === 0 ? "acme" : "ACME", 7, i), "denied");
    assert.equal(await guess("acme", 7, 10), "limited");
    assert.equal(await guess("acme", 8, 10), "denied");
    for (let i = 0; i < 11; i++) assert.equal(await guess("acme", undefined, i), "denied");
  });

  test("law 1: an account that throws or returns another value makes the login unavailable", async () => {
    const failing = [() => assert.fail("secret"), () => 7 as never, async () => await Promise.resolve("ann")];
    for (const account of failing) {
      const { issuer } = createFixture({ account: account as never });
      assert.equal((await issuer.login(right, { source })).status, "unavailable");
    }
    assert.throws(() => createFixture({ authenticate: undefined, account: () => null } as object), {
      code: "invalid_option",
    });
  });

  test("law 6: an account of any length costs bounded work", async () => {
    const { issuer } = createFixture({ account: () => "\u0315".repeat(100_000) });
    await logIn(issuer);
  });
});
