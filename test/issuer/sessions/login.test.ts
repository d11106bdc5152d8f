import { systemClock } from "../../../src/core/clock.ts";
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { isHoldfastError } from "../../../src/core/errors.ts";
import { issuerEvents } from "../../../src/core/event-channels.ts";
import type { IssuerEvent } from "../../../src/core/events.ts";
import { createIssuer } from "../../../src/issuer/create-issuer.ts";
import type { AuthenticatedUser } from "../../../src/issuer/types.ts";
import { PasswordHasher } from "../../../src/issuer/users/passwords.ts";
import { memoryStore } from "../../../src/stores/memory.ts";
import { FakeClock } from "../../../src/testing/fake-clock.ts";
import {
  changingPassword,
  sendRequest,
  claimsOf,
  createFixture,
  logIn,
  SECRET,
  ISSUER_URL,
  validateAtIssuer,
} from "../fixture.ts";
import { wrapStore } from "../stores.ts";

const wrong = { username: "ann", password: "wrong" };
const right = { username: "ann", password: "password of ann" };

const circular: Record<string, unknown> = {};
circular["self"] = circular;

function nested(levels: number): unknown {
  let value: unknown = null;
  for (let i = 0; i < levels; i++) value = [value];
  return value;
}

describe("login", () => {
  test("an unknown user and a wrong password get the same response", async () => {
    const { issuer } = createFixture({ authenticate: undefined } as object);
    await issuer.users.add({ username: "ann", password: "password of ann" });
    const unknown = await sendRequest(issuer, "POST", "/auth/login", {
      username: "bob",
      password: "password of ann",
    });
    const known = await sendRequest(issuer, "POST", "/auth/login", wrong);
    assert.equal(known.status, 401);
    assert.equal(unknown.status, 401);
    assert.equal(await known.text(), await unknown.text());
    assert.deepEqual([...known.headers], [...unknown.headers]);
  });

  test("hashes passwords with Argon2id, 19 MiB and two iterations; no password matches an unknown user", async () => {
    const passwords = new PasswordHasher(systemClock);
    const stored = await passwords.hash("password of ann");
    assert.match(stored, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22}\$[\w+/]{43}$/);
    assert.equal(await passwords.verify(stored, "password of ann"), true);
    assert.equal(await passwords.verify(null, "password of ann"), false);
  });

  test("hashes and checks passwords in the same turn when the clock decides the order of all work", async () => {
    const passwords = new PasswordHasher({ ...systemClock, turn: setImmediate });
    let stored = "";
    void passwords.hash("password of ann").then((hash) => (stored = hash));
    await new Promise(setImmediate);
    assert.match(stored, /^\$argon2id\$/);
    const answers = new Map<string, boolean>();
    const check = async (name: string, hash: string | null, password: string) =>
      void answers.set(name, await passwords.verify(hash, password));
    void check("right", stored, "password of ann");
    void check("wrong", stored, "password of bob");
    void check("unknown", null, "password of ann");
    await new Promise(setImmediate);
    assert.deepEqual(Object.fromEntries(answers), { right: true, wrong: false, unknown: false });
  });

  test("fault 61: limits wrong passwords by account and source without locking out another source", async () => {
    const { issuer, store } = createFixture();
    for (let i = 0; i < 10; i++) {
      assert.equal((await issuer.login(wrong, { source: "192.0.2.1" })).status, "denied");
    }
    const over = await issuer.login(right, { source: "192.0.2.1" });
    assert.equal(over.status, "limited");
    assert.equal((await issuer.login(wrong, { source: "192.0.2.1" })).status, "limited");
    await logIn(issuer, "ann", "192.0.2.2");
    await logIn(issuer, "bob", "192.0.2.1");
    const kinds = (await store.audit.recent(100)).map(({ kind }) => kind);
    assert.equal(kinds.filter((kind) => kind === "login_limited").length, 1, "once a window");
    const response = await issuer.fetch(
      new Request(`${ISSUER_URL}/auth/login`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(right),
      }),
      { source: "192.0.2.1" },
    );
    assert.equal(response.status, 429);
    assert.ok(Number(response.headers.get("Retry-After")) >= 1);
  });

  test("a successful login resets the count of the account from that source", async () => {
    const { issuer } = createFixture();
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 9; i++) assert.equal((await issuer.login(wrong)).status, "denied");
      await logIn(issuer);
    }
  });

  test("limits follow the injected clock", async () => {
    const { clock, issuer } = createFixture();
    for (let i = 0; i < 10; i++) assert.equal((await issuer.login(wrong)).status, "denied");
    await clock.advance(14 * 60_000);
    assert.deepEqual(await issuer.login(wrong), { status: "limited", retryAfterMs: 60_000 });
    await clock.advance(60_000);
    assert.equal((await issuer.login(wrong)).status, "denied");
  });

  test("law 6: a login never normalizes a long text, because that takes quadratic time", async (t) => {
    const { issuer } = createFixture({ authenticate: undefined } as object);
    const normalize = t.mock.method(String.prototype, "normalize");
    const marks = `a${"\u0315".repeat(16_000)}${"\u0300".repeat(16_000)}`;
    assert.equal((await issuer.login({ username: marks, password: marks })).status, "denied");
    assert.equal((await issuer.login({ username: "ann", password: marks })).status, "denied");
    const ann = { username: marks, password: "password of ann" };
    await assert.rejects(async () => await issuer.users.add(ann), { code: "invalid_option" });
    await assert.rejects(async () => await issuer.users.setPassword(marks, "password of ann"), {
      code: "invalid_option",
    });
    const lengths = normalize.mock.calls.map((call) => String(call.this).length);
    assert.ok(Math.max(0, ...lengths) <= 1024, `normalized ${Math.max(...lengths)} characters`);
  });

  test("fault 61: a flood of unknown users costs as many hashes as known ones and is limited", async () => {
    const { issuer } = createFixture({ authenticate: undefined } as object);
    await issuer.users.add({ username: "ann", password: "password of ann" });
    const flood = Array.from({ length: 90 }, async (_, i) => {
      const source = { source: `192.0.2.${i}` };
      return (await issuer.login({ username: `user ${i}`, password: "wrong" }, source)).status;
    });
    const statuses = await Promise.all(flood);
    assert.equal(statuses.filter((status) => status === "denied").length, 66);
    assert.equal(statuses.filter((status) => status === "limited").length, 24);
  });

  test("law 1: an authenticate that throws, hangs or returns an unusable value is unavailable and does not count", async () => {
    const clock = new FakeClock();
    const answers: (() => unknown)[] = [
      () => {
        throw new Error("password of ann");
      },
      async () => await Promise.reject(new Error("password of ann")),
      () => undefined,
      () => true,
      () => ({}),
      () => ({ subject: "", scopes: [] }),
      () => ({ subject: "ann" }),
      () => ({ subject: "ann", scopes: ["two words"] }),
      () => ({ subject: "ann", scopes: [], claims: { sub: "bob" } }),
      () => ({ subject: "ann", scopes: [], claims: { cnf: {} } }),
      () => ({ subject: "ann", scopes: [], claims: { big: "x".repeat(5000) } }),
      () => ({ subject: "ann", scopes: [], claims: { wide: "\u5b57".repeat(4000) } }),
      () => ({ subject: "ann", scopes: Array.from({ length: 1000 }, (_, i) => `scope${i}`) }),
      () => ({ subject: "ann\0", scopes: [] }),
      () => ({ subject: "half a pair \ud800", scopes: [] }),
      () => ({ subject: "ann", scopes: [], claims: { ["\ud800"]: 1 } }),
      () => ({ subject: "ann", scopes: [], claims: { deep: nested(40) } }),
      () => ({ subject: "ann", scopes: [], claims: { deep: nested(100_000) } }),
      () => ({ subject: "ann", scopes: [], claims: circular }),
      () => ({ subject: "ann", scopes: [], claims: { when: new Date() } }),
      () => ({
        scopes: [],
        get subject() {
          throw new Error("password of ann");
        },
      }),
    ];
    let answer: () => unknown = () => null;
    const { issuer } = createFixture({ clock, authenticate: () => answer() as AuthenticatedUser });
    const seen: IssuerEvent[] = [];
    const listen = (event: unknown) => seen.push(event as IssuerEvent);
    issuerEvents.subscribe(listen);
    for (answer of answers) {
      const response = await sendRequest(issuer, "POST", "/auth/login", right);
      assert.equal(response.status, 503, String(answer));
      assert.ok(Number(response.headers.get("Retry-After")) >= 1);
      assert.equal(((await response.json()) as { error: string }).error, "temporarily_unavailable");
    }
    answer = async () => await new Promise(() => {});
    const hanging = issuer.login(right);
    await clock.advance(10_000);
    assert.equal((await hanging).status, "unavailable");
    issuerEvents.unsubscribe(listen);
    assert.equal(seen.filter(({ event }) => event === "authenticate_failed").length, answers.length + 1);
    assert.ok(!JSON.stringify(seen).includes("password of ann"), "no message of others is passed on");
    answer = () => ({ subject: "ann", scopes: ["a", "b"] });
    const outcome = await issuer.login(right);
    assert.equal(outcome.status, "ok");
    assert.equal(outcome.status === "ok" && claimsOf(outcome.tokens.access_token)["scope"], "a b");
  });

  test("law 1: an accepted user gets a valid token, and any other user is unavailable", async () => {
    const text = fc.string({ unit: "binary", maxLength: 300 });
    const identities = fc.record({
      subject: text,
      scopes: fc.array(fc.string({ minLength: 1, unit: "grapheme-ascii" }), { maxLength: 5 }),
      claims: fc.dictionary(text, fc.jsonValue({ stringUnit: "binary" }), { noNullPrototype: true }),
    });
    let answer: unknown;
    const { issuer } = createFixture({ authenticate: () => answer as AuthenticatedUser });
    let taken = 0;
    await fc.assert(
      fc.asyncProperty(identities, async (identity) => {
        answer = identity;
        const outcome = await issuer.login({});
        if (outcome.status !== "ok") return outcome.status === "unavailable";
        taken++;
        return (await validateAtIssuer(issuer, outcome.tokens.access_token)).valid;
      }),
      { numRuns: 200 },
    );
    assert.ok(taken > 20);
  });

  test("authenticate receives every member of the body and the abort of the caller", async () => {
    let seen: unknown;
    const controller = new AbortController();
    const { issuer } = createFixture({
      authenticate: async (credentials, { signal }) => {
        seen = credentials;
        controller.abort(new Error("gone"));
        return await Promise.reject(signal.reason as Error);
      },
    });
    const login = issuer.login({ email: "a@example.com", code: 7 }, { signal: controller.signal });
    await assert.rejects(login, /gone/);
    assert.deepEqual(seen, { email: "a@example.com", code: 7 });
  });

  test("a login whose caller leaves while the password is hashed begins no session", async () => {
    const controller = new AbortController();
    const clock = new FakeClock();
    const inner = memoryStore({ clock });
    const store = wrapStore(inner, async (method, work) => {
      const answer = await work();
      // The hash begins in this turn of the event loop, and takes longer than the turn.
      if (method === "users.getByLoginKey") setImmediate(() => controller.abort(new Error("gone")));
      return answer;
    });
    const { issuer } = createFixture({ clock, store, authenticate: undefined } as object);
    await issuer.users.add(right);
    await assert.rejects(issuer.login(right, { signal: controller.signal }), /gone/);
    const user = await inner.users.get("ann");
    assert.deepEqual((await inner.sessions.listBySubject(user?.subject ?? "", { limit: 9 })).sessions, []);
    assert.ok((await inner.audit.recent(9)).every(({ kind }) => kind !== "login"));
  });

  test("fault 47: checks credentials again when all sessions were ended during the check", async () => {
    const clock = new FakeClock();
    const { authenticate, changeDuringNextCheck } = changingPassword();
    const { issuer, store } = createFixture({ clock, authenticate });
    await issuer.ready();
    changeDuringNextCheck(async () => await issuer.revoke({ kind: "subject", id: "ann" }));
    const late = issuer.login({ username: "ann", password: "old" });
    await clock.advance(10);
    assert.equal((await late).status, "denied");
    assert.deepEqual((await store.sessions.listBySubject("ann", { limit: 9 })).sessions, []);
    assert.equal((await issuer.login({ username: "ann", password: "new" })).status, "ok");
  });
});

test("rejects wrong options at creation, by name, without showing a secret", () => {
  const { store } = createFixture();
  const good = { url: ISSUER_URL, audience: "api", store, secret: SECRET };
  const cases: [object, RegExp][] = [
    [{ url: "id.example.com" }, /^createIssuer: url must be an http\(s\) URL/],
    [{ url: "https://id.example.com/?a=1" }, /^createIssuer: url must be/],
    [{ audience: "" }, /^createIssuer: audience must be a non-empty string/],
    [{ secret: "too short" }, /^createIssuer: secret must be at least 32 random bytes/],
    [{ secret: `${SECRET},too short` }, /^createIssuer: secret must be/],
    [{ algorithm: "HS256" }, /^createIssuer: algorithm must be ES256/],
    [{ accessTokenTtlMs: 1.5 }, /^createIssuer: accessTokenTtlMs must be a whole number/],
    [{ refreshIdleMs: 1000 }, /^createIssuer: refreshIdleMs must be a whole number from 600000/],
    [{ refreshAbsoluteMs: 1000 }, /^createIssuer: refreshAbsoluteMs must be/],
    [{ lostAnswerMs: -1 }, /^createIssuer: lostAnswerMs must be/],
    [{ conflictMs: -1 }, /^createIssuer: conflictMs must be/],
    [
      { clients: [{ id: "a:b", secret: "x" }] },
      /^createIssuer: clients\[0\]\.id must be a string without a colon/,
    ],
    [{ clients: [{ id: "a" }] }, /^createIssuer: clients\[0\]\.secret must be/],
    [{ corsOrigins: ["*"] }, /^createIssuer: corsOrigins\[0\] must be an exact origin/],
    [
      { corsOrigins: ["https://app.example.com/"] },
      /corsOrigins\[0\] must be .*; got a string with a slash at its end$/,
    ],
    [{ authenticate: true }, /^createIssuer: authenticate must be a function/],
    [{ acessTokenTtlMs: 1000 }, /^createIssuer has no option "acessTokenTtlMs"/],
    [{ random: 0.5 }, /^createIssuer: random must be a function/],
    [{ clock: {} }, /^issuer needs clock with now\(\)/],
  ];
  for (const [wrongOption, message] of cases) {
    assert.throws(
      () => createIssuer({ ...good, ...wrongOption }),
      (error) => {
        assert.ok(isHoldfastError(error));
        assert.match(error.message, message);
        return !error.message.includes("too short");
      },
    );
  }
});
