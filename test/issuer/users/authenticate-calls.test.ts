import assert from "node:assert/strict";
import { test } from "node:test";
import { issuerEvents } from "../../../src/core/event-channels.ts";
import type { IssuerEvent } from "../../../src/core/events.ts";
import { memoryStore } from "../../../src/stores/memory.ts";
import type { FakeClock } from "../../../src/testing/index.ts";
import { metricTotal } from "../../support/metric-values.ts";
import { createFixture, sendRequest } from "../fixture.ts";

/** An issuer whose directory answers when the test says so. */
function slowDirectory(maxAuthenticateCalls: number) {
  const running: (() => void)[] = [];
  const fixture = createFixture({
    maxAuthenticateCalls,
    authenticate: async ({ username }) => {
      await new Promise<void>((answer) => running.push(answer));
      return { subject: String(username), scopes: [] };
    },
  });
  const logIn = async (username: string) =>
    await sendRequest(fixture.issuer, "POST", "/auth/login", { username, password: "any" });
  return { ...fixture, running, logIn };
}

/** The result of a promise that settles within `ms` of the fake clock. A promise that hangs fails the test at once. */
async function afterAdvance<T>(clock: FakeClock, promise: Promise<T>, ms = 1): Promise<T> {
  await clock.advance(ms);
  const late = new Error(`the promise has not settled within ${ms} ms`);
  return await Promise.race([promise, Promise.reject(late)]);
}

/** Returns the messages of the event `authenticate_failed` during `work`. */
async function collectMessages(work: () => Promise<void>): Promise<string[]> {
  const messages: string[] = [];
  const listen = (published: unknown) => {
    const { event, message } = published as IssuerEvent;
    if (event === "authenticate_failed") messages.push(message);
  };
  issuerEvents.subscribe(listen);
  await work().finally(() => issuerEvents.unsubscribe(listen));
  return messages;
}

const metrics = {
  running: "holdfast_authenticate_calls",
  waiting: "holdfast_authenticate_waiting",
  refused: "holdfast_authenticate_refused_total",
};

test("law 6: logins beyond the places of authenticate are 503 with Retry-After, and the others succeed", async () => {
  const { issuer, running, logIn, clock } = slowDirectory(2);
  await issuer.ready();
  const count = (name: keyof typeof metrics) => metricTotal(issuer, metrics[name], {});

  const logins = ["a", "b", "c", "d"].map(logIn);
  await clock.advance(1);
  assert.deepEqual([running.length, count("running"), count("waiting")], [2, 2, 2]);
  const messages = await collectMessages(async () => {
    const refused = await afterAdvance(clock, logIn("e"));
    assert.equal(refused.status, 503);
    assert.equal(refused.headers.get("retry-after"), "1");
  });
  assert.equal(count("refused"), 1);
  assert.deepEqual(messages, ["2 calls run, and this login got no place: it is 503"]);

  while (running.length > 0) {
    running.shift()?.();
    await clock.advance(1);
  }
  assert.deepEqual(
    (await afterAdvance(clock, Promise.all(logins))).map(({ status }) => status),
    [200, 200, 200, 200],
  );
  assert.deepEqual([count("running"), count("waiting")], [0, 0]);
});

test("law 6: a call of authenticate that ignores its deadline keeps its place until it settles", async () => {
  const { issuer, running, logIn, clock } = slowDirectory(2);
  await issuer.ready();
  const messages = await collectMessages(async () => {
    const hanging = ["a", "b", "c", "d"].map(logIn);
    const answers = await afterAdvance(clock, Promise.all(hanging), 10_000);
    assert.deepEqual(
      answers.map(({ status }) => status),
      [503, 503, 503, 503],
    );
    assert.equal(answers[3]?.headers.get("retry-after"), "1");
    assert.equal((await afterAdvance(clock, logIn("e"), 10_000)).status, 503);
  });
  assert.deepEqual([running.length, metricTotal(issuer, metrics.running, {})], [2, 2]);
  assert.equal(metricTotal(issuer, metrics.refused, {}), 3);
  assert.equal(
    messages.at(-1),
    "2 calls run, 2 of them after their deadline, and this login got no place: it is 503",
  );

  for (const settle of running.splice(0)) settle();
  await clock.advance(1);
  assert.equal(metricTotal(issuer, metrics.running, {}), 0);
  const login = logIn("f");
  await clock.advance(1);
  running[0]?.();
  assert.equal((await afterAdvance(clock, login)).status, 200);
});

test("a call of authenticate that rejects after its deadline frees its place", async () => {
  let reject: (reason: Error) => void = () => {};
  const { issuer, clock } = createFixture({
    maxAuthenticateCalls: 1,
    authenticate: async () => await new Promise<never>((_, fail) => (reject = fail)),
  });
  await issuer.ready();
  const login = issuer.login({ username: "a" }, {});
  assert.equal((await afterAdvance(clock, login, 10_000)).status, "unavailable");
  assert.equal(metricTotal(issuer, metrics.running, {}), 1);
  reject(new Error("the directory is gone"));
  await clock.advance(1);
  assert.equal(metricTotal(issuer, metrics.running, {}), 0);
});

test("for each place one login of a known client waits and one of an unknown client, and they take turns", async () => {
  const { issuer, running, clock } = slowDirectory(1);
  await issuer.ready();
  const order: string[] = [];
  const logIn = async (username: string, source: string) => {
    const { status } = await issuer.login({ username }, { source });
    order.push(`${username} ${status}`);
  };
  const answerNext = async () => {
    running.shift()?.();
    await clock.advance(1);
  };
  const first = logIn("ann", "192.0.2.7");
  await clock.advance(1);
  await answerNext();
  await afterAdvance(clock, first);

  const runs = logIn("stranger 1", "198.51.100.1");
  const logins = [logIn("stranger 2", "198.51.100.1"), logIn("ann", "192.0.2.7"), logIn("bob", "192.0.2.7")];
  await clock.advance(1);
  assert.equal(metricTotal(issuer, metrics.waiting, {}), 2);
  for (let each = 0; each < 3; each++) await answerNext();
  await afterAdvance(clock, Promise.all([runs, ...logins]));
  assert.deepEqual(order, ["ann ok", "bob unavailable", "stranger 1 ok", "ann ok", "stranger 2 ok"]);
});

test("a login whose client goes away gives up its turn, and authenticate is not called for it", async () => {
  const { issuer, running, clock } = slowDirectory(1);
  await issuer.ready();
  const first = issuer.login({ username: "a" }, {});
  const client = new AbortController();
  const gone = issuer.login({ username: "b" }, { signal: client.signal });
  await clock.advance(1);
  assert.equal(metricTotal(issuer, metrics.waiting, {}), 1);
  client.abort(new Error("the client went away"));
  const settled = gone.then(
    ({ status }) => status,
    () => "rejected",
  );
  await afterAdvance(clock, settled);
  assert.equal(metricTotal(issuer, metrics.waiting, {}), 0);
  running.shift()?.();
  assert.equal((await afterAdvance(clock, first)).status, "ok");
  assert.deepEqual([running.length, metricTotal(issuer, metrics.running, {})], [0, 0]);
});

test("maxAuthenticateCalls is a whole number, and needs authenticate", () => {
  for (const maxAuthenticateCalls of [0, 10_001, 1.5]) {
    assert.throws(() => createFixture({ maxAuthenticateCalls }), {
      code: "invalid_option",
      message: /createIssuer: maxAuthenticateCalls must be a whole number from 1 to 10/,
    });
  }
  const options = { store: memoryStore(), maxAuthenticateCalls: 3 };
  assert.throws(() => createFixture({ ...options, authenticate: undefined as never }), {
    message: /maxAuthenticateCalls must be left out without authenticate; got 3/,
  });
});
