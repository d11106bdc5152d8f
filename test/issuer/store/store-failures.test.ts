import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { sleep } from "../../../src/core/clock.ts";
import { isHoldfastError } from "../../../src/core/errors.ts";
import { auditEvents, issuerEvents } from "../../../src/core/event-channels.ts";
import type { AuditEvent } from "../../../src/core/events.ts";
import { memoryStore } from "../../../src/stores/memory.ts";
import type { Store } from "../../../src/stores/store.ts";
import { FakeClock } from "../../../src/testing/fake-clock.ts";
import { BASIC, bearerHeader, sendRequest, createFixture, logIn, validateAtIssuer } from "../fixture.ts";
import { failStore, wrapStore } from "../stores.ts";

describe("a store that fails", () => {
  test("law 1, law 12: every endpoint answers 503 with Retry-After, spends nothing and works again afterwards", async () => {
    let broken = false;
    const { clock, store } = createFixture();
    const { issuer } = createFixture({ clock, store: failStore(store, () => broken && "before") });
    const tokens = await logIn(issuer);
    const refreshBody = { refresh_token: tokens.refresh_token };
    const requests: [string, string, unknown, Record<string, string>][] = [
      ["POST", "/auth/login", { username: "ann", password: "password of ann" }, {}],
      ["POST", "/auth/refresh", refreshBody, {}],
      ["POST", "/auth/logout", refreshBody, {}],
      ["POST", "/auth/logout", undefined, bearerHeader(tokens)],
      ["POST", "/auth/logout-all", refreshBody, {}],
      ["POST", "/auth/logout-all", undefined, bearerHeader(tokens)],
      ["GET", "/auth/sessions", undefined, bearerHeader(tokens)],
      ["DELETE", `/auth/sessions/${tokens.session_id}`, undefined, bearerHeader(tokens)],
      ["POST", "/auth/validate", { token: tokens.access_token }, { Authorization: BASIC }],
    ];
    broken = true;
    for (const [method, path, body, headers] of requests) {
      const response = await sendRequest(issuer, method, path, body, headers);
      assert.equal(response.status, 503, path);
      assert.match(response.headers.get("Retry-After") ?? "", /^[1-9]\d*$/);
      const { error } = (await response.json()) as { error: string };
      assert.equal(error, "temporarily_unavailable");
    }
    for (const attempt of [issuer.endSession(tokens.session_id), issuer.revoke({ kind: "token", id: "x" })]) {
      await assert.rejects(attempt, (error) => isHoldfastError(error, "store_unavailable"));
    }
    assert.equal(issuer.status().store.reachable, false);
    assert.doesNotMatch(issuer.status().store.lastError ?? "", /fire/, "no message of others is passed on");
    assert.equal(
      (await sendRequest(issuer, "GET", "/.well-known/jwks.json")).status,
      200,
      "known keys stay published",
    );
    await clock.advance(120_000);
    assert.equal((await sendRequest(issuer, "GET", "/.well-known/jwks.json")).status, 200);
    broken = false;
    assert.equal((await validateAtIssuer(issuer, tokens.access_token)).valid, true);
    assert.equal((await issuer.refresh(tokens.refresh_token)).status, "ok");
    assert.equal(issuer.status().store.reachable, true);
    await issuer.close();
  });

  test("law 8: after a lost answer of the store, the next attempt gets the same successor", async () => {
    let broken = false;
    const { clock, store } = createFixture();
    const { issuer } = createFixture({ clock, store: failStore(store, () => broken && "after") });
    const tokens = await logIn(issuer);
    broken = true;
    assert.equal((await issuer.refresh(tokens.refresh_token)).status, "unavailable");
    broken = false;
    const again = await issuer.refresh(tokens.refresh_token);
    assert.equal(again.status, "ok");
    assert.equal((await store.sessions.get(tokens.session_id))?.generation, 2);
  });

  test("law 1: a store that does not answer is unavailable at the deadline", async () => {
    const clock = new FakeClock();
    let silent = false;
    const store = wrapStore(memoryStore({ clock }), (_, work) => (silent ? new Promise(() => {}) : work()));
    const { issuer } = createFixture({ clock, store });
    const tokens = await logIn(issuer);
    silent = true;
    const refresh = issuer.refresh(tokens.refresh_token);
    await clock.advance(10_000);
    assert.equal((await refresh).status, "unavailable");
    await issuer.close();
  });

  test("law 1: a store that is down at the start is unavailable until it is up, without a restart", async () => {
    let broken = true;
    const { clock, store } = createFixture();
    const { issuer } = createFixture({ clock, store: failStore(store, () => broken && "before") });
    await assert.rejects(issuer.ready(), (error) => isHoldfastError(error, "store_unavailable"));
    assert.equal((await sendRequest(issuer, "GET", "/.well-known/jwks.json")).status, 503);
    assert.equal((await issuer.login({})).status, "unavailable");
    broken = false;
    await logIn(issuer);
    await issuer.close();
  });

  test("an audit event that cannot be stored fails no request and is still published", async () => {
    const { clock, store } = createFixture();
    const { issuer } = createFixture({
      clock,
      store: failStore(store, (name) => name === "audit.append" && "before"),
    });
    const published: string[] = [];
    const failed: unknown[] = [];
    const onAudit = (event: unknown) => published.push((event as AuditEvent).kind);
    const onIssuer = (event: unknown) => failed.push((event as { event: string }).event);
    auditEvents.subscribe(onAudit);
    issuerEvents.subscribe(onIssuer);
    await logIn(issuer);
    auditEvents.unsubscribe(onAudit);
    issuerEvents.unsubscribe(onIssuer);
    assert.deepEqual(published, ["login"]);
    assert.ok(failed.includes("audit_failed"));
  });

  test("accepts a store that returns plain values instead of promises", async () => {
    const { clock, store } = createFixture();
    await createFixture({ clock, store }).issuer.ready();
    const keys = await store.keys.list();
    const plain = wrapStore(store, (_, work) => work());
    plain.now = (() => clock.now()) as unknown as Store["now"];
    plain.markers.claim = ((_: string, value: string) => value) as unknown as Store["markers"]["claim"];
    plain.keys.list = (() => keys) as unknown as Store["keys"]["list"];
    plain.audit.append = (() => undefined) as unknown as Store["audit"]["append"];
    plain.prune = (() => undefined) as unknown as Store["prune"];
    const { issuer } = createFixture({ clock, store: plain });
    const tokens = await logIn(issuer);
    assert.equal((await issuer.refresh(tokens.refresh_token)).status, "ok");
    await clock.advance(15 * 60_000);
    await issuer.close();
  });

  test("a clean-up that takes minutes is no failure of the store", async () => {
    const { clock, store } = createFixture();
    const slow = wrapStore(store, (_, work) => work());
    let prunes = 0;
    slow.prune = async () => {
      prunes++;
      await sleep(clock, 5 * 60_000);
    };
    const { issuer } = createFixture({ clock, store: slow });
    await issuer.ready();
    for (let minutes = 0; minutes < 30; minutes++) await clock.advance(60_000);
    assert.ok(prunes > 0);
    const { reachable, writeFailure } = issuer.status().store;
    assert.deepEqual([reachable, writeFailure], [true, null]);
    await issuer.close();
  });

  test("rejects a store without a required method at creation, naming both", () => {
    const { store } = createFixture();
    const cases: [object, RegExp][] = [
      [{ ...store, now: undefined }, /issuer needs store with now\(\)/],
      [{ ...store, sessions: { ...store.sessions, rotate: undefined } }, /store\.sessions with rotate\(\)/],
      [{ ...store, keys: undefined }, /store\.keys must be an object with list, initialise/],
    ];
    for (const [lacking, message] of cases) {
      assert.throws(() => createFixture({ store: lacking as Store }), message);
    }
  });

  test("rejects a revocation id that guards would not accept", async () => {
    const { issuer, store } = createFixture();
    for (const id of ["x".repeat(1025), "ann\0"]) {
      const attempts = (["session", "subject", "token", "key"] as const).map((kind) =>
        issuer.revoke({ kind, id }),
      );
      for (const attempt of [...attempts, issuer.endSession(id)]) {
        await assert.rejects(attempt, /^HoldfastError: id must be at most 1024 characters/);
      }
    }
    assert.deepEqual((await store.revocations.snapshot()).entries, []);
  });

  test("a closed issuer serves nothing and leaves no timer", async () => {
    const { clock, issuer } = createFixture();
    await issuer.ready();
    await issuer.close();
    assert.equal(clock.pending, 0);
    assert.equal((await issuer.login({})).status, "unavailable");
    await assert.rejects(issuer.ready(), (error) => isHoldfastError(error, "closed"));
  });
});

describe("the end of an outage of the store", () => {
  /** An issuer whose reads and writes fail when the test says so, and its events about the store. */
  async function setUp(t: TestContext) {
    const clock = new FakeClock();
    const failing = { reads: false, writes: false };
    const isWrite = (name: string) =>
      /\.(?:create|rotate|append|add|mark|acknowledge|end)$|^prune$/.test(name);
    const store = failStore(memoryStore({ clock }), (name) =>
      (isWrite(name) ? failing.writes : failing.reads) ? "before" : false,
    );
    const { issuer } = createFixture({ clock, store });
    t.after(async () => await issuer.close());
    const { refresh_token: token } = await logIn(issuer);
    const events: string[] = [];
    const onEvent = (published: unknown) => {
      const { event, message } = published as { event: string; message: string };
      if (event.startsWith("store_")) events.push(`${event}: ${message}`);
    };
    issuerEvents.subscribe(onEvent);
    t.after(() => issuerEvents.unsubscribe(onEvent));
    let current = token;
    const refresh = async () => {
      const outcome = await issuer.refresh(current);
      if (outcome.status === "ok") current = outcome.tokens.refresh_token;
      return outcome.status;
    };
    return { clock, failing, issuer, refresh, events };
  }

  test("law 10: is an event once, after the store has worked for three seconds", async (t) => {
    const { clock, failing, refresh, events } = await setUp(t);
    Object.assign(failing, { reads: true, writes: true });
    for (let i = 0; i < 3; i++) {
      assert.equal(await refresh(), "unavailable");
      await clock.advance(1_000);
    }
    Object.assign(failing, { reads: false, writes: false });
    assert.equal(await refresh(), "ok");
    assert.deepEqual(
      events.map((text) => text.split(":")[0]),
      ["store_failed"],
    );
    await clock.advance(3_000);
    assert.equal(await refresh(), "ok");
    assert.equal(await refresh(), "ok");
    assert.equal(events.length, 2);
    assert.match(
      events[1] ?? "",
      /^store_restored: the store answers again: it failed for 2 s, and has answered for 4 s since$/,
    );
  });

  test("law 10: the end of a second outage within five minutes is told as soon as that of the first one", async (t) => {
    const { clock, failing, refresh, events } = await setUp(t);
    for (const pauseMs of [20_000, 0]) {
      for (let second = 0; second <= 10; second++) {
        failing.writes = second < 10;
        await refresh();
        await clock.advance(1_000);
      }
      await clock.advance(2_000);
      assert.equal(await refresh(), "ok");
      assert.match(
        events.at(-1) ?? "",
        /^store_restored: .+ failed for 9 s, and has answered for 4 s since$/,
      );
      await clock.advance(pauseMs);
    }
    assert.equal(events.length, 4);
  });

  test("law 10: a store that fails now and then for minutes is announced at most three times before it has recovered", async (t) => {
    const { clock, failing, refresh, events } = await setUp(t);
    const names = () => events.map((text) => text.split(":")[0]);
    // As for a slot of a cluster that is open: every 15 seconds one call meets it, and the calls between do not.
    for (let second = 0; second < 300; second++) {
      failing.writes = second % 15 === 0;
      assert.equal(await refresh(), failing.writes ? "unavailable" : "ok");
      await clock.advance(1_000);
    }
    assert.equal(names().join(), "store_failed,store_restored,store_failed,store_restored,store_failed");
    for (let second = 0; second < 30; second++) {
      await clock.advance(1_000);
      assert.equal(await refresh(), "ok");
    }
    assert.deepEqual(names().slice(5), ["store_restored"]);

    // A later failure is an outage of its own.
    await clock.advance(5 * 60_000);
    failing.writes = true;
    assert.equal(await refresh(), "unavailable");
    failing.writes = false;
    await clock.advance(3_000);
    assert.equal(await refresh(), "ok");
    assert.deepEqual(names().slice(6), ["store_failed", "store_restored"]);
  });

  test("law 10: a store that only reads has not recovered from a failed write, and fails once in the log", async (t) => {
    const { clock, failing, issuer, refresh, events } = await setUp(t);
    failing.writes = true;
    for (let i = 0; i < 5; i++) {
      assert.equal(await refresh(), "unavailable");
      await clock.advance(4_000);
      assert.notEqual(await issuer.users.get("nobody"), undefined);
    }
    assert.deepEqual(
      events.map((text) => text.split(":")[0]),
      ["store_failed"],
    );
    failing.writes = false;
    assert.equal(await refresh(), "ok");
    assert.deepEqual(
      events.map((text) => text.split(":")[0]),
      ["store_failed", "store_restored"],
    );
  });
});
