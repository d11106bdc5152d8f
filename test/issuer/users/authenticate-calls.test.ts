import assert from "node:assert/strict";
import { test } from "node:test";
import { issuerEvents } from "../../../src/core/event-channels.ts";
import type { IssuerEvent } from "../../../src/core/events.ts";
import { memoryStore } from "../../../src/stores/memory.ts";
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

const metrics = {
  running: "holdfast_authenticate_calls",
  waiting: "holdfast_authenticate_waiting",
  refused: "holdfast_authenticate_refused_total",
};

test("law 6: logins beyond the places of authenticate are 503 with Retry-After, and the others succeed", async (t) => {
  const { issuer, running, logIn, clock } = slowDirectory(2);
  await issuer.ready();
  const messages: string[] = [];
  const listen = (published: unknown) => {
    const { event, message } = published as IssuerEvent;
    if (event === "authenticate_failed") messages.push(message);
  };
  issuerEvents.subscribe(listen);
  t.after(() => issuerEvents.unsubscribe(listen));
  const count = (name: keyof typeof metrics) => metricTotal(issuer, metrics[name], {});

  const logins = ["a", "b", "c", "d"].map(logIn);
  await clock.advance(1);
  assert.deepEqual([running.length, count("running"), count("waiting")], [2, 2, 2]);
  const refused = await logIn("e");
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get("retry-after"), "1");
  assert.equal(count("refused"), 1);
  assert.deepEqual(messages, ["2 calls run, and as many logins wait: a login is 503"]);

  while (running.length > 0) {
    running.shift()?.();
    await clock.advance(1);
  }
  assert.deepEqual(
    (await Promise.all(logins)).map(({ status }) => status),
    [200, 200, 200, 200],
  );
  assert.deepEqual([count("running"), count("waiting")], [0, 0]);
});

test("a call of authenticate that never settles frees its place after its deadline", async () => {
  const { issuer, running, logIn, clock } = slowDirectory(1);
  await issuer.ready();
  const hanging = logIn("a");
  const waiting = logIn("b");
  await clock.advance(10_000);
  assert.equal((await hanging).status, 503);
  await clock.advance(1);
  assert.equal(running.length, 2);
  running[1]?.();
  assert.equal((await waiting).status, 200);
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
