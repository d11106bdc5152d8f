import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { test, type TestContext } from "node:test";
import type { CommandEvent, LoginEvent, RefreshEvent } from "../../../src/core/operation-events.ts";
import { memoryStore } from "../../../src/stores/memory.ts";
import { FakeClock } from "../../../src/testing/fake-clock.ts";
import { createFixture, logIn } from "../fixture.ts";
import { failStore, wrapStore } from "../stores.ts";

function collect<E>(t: TestContext, channel: string): E[] {
  const events: E[] = [];
  const listen = (event: unknown) => events.push(event as E);
  subscribe(channel, listen);
  t.after(() => unsubscribe(channel, listen));
  return events;
}

test("a login is one event with its outcome, its time and the time of its password hashes", async (t) => {
  const logins = collect<LoginEvent>(t, "holdfast:login");
  const { issuer } = createFixture({ authenticate: undefined } as object);
  await issuer.users.add({ username: "ann", password: "password of ann" });
  await issuer.login({ username: "ann", password: "password of ann" });
  for (let i = 0; i < 12; i++) {
    await issuer.login({ username: "ann", password: "wrong" }, { source: "203.0.113.7" });
  }
  const outcomes = logins.map(({ outcome }) => outcome);
  assert.equal(outcomes.length, 13);
  assert.equal(outcomes[0], "ok");
  assert.deepEqual(new Set(outcomes), new Set(["ok", "refused", "limited"]));
  for (const { issuer: name, durationMs, hashMs } of logins) {
    assert.ok(name === issuer.name && durationMs >= hashMs && hashMs >= 0);
  }
  assert.equal(logins.at(-1)?.hashMs, 0);
  await issuer.close();
});

test("law 8: a refresh is one event with its outcome and its time, also when the store fails", async (t) => {
  const refreshes = collect<RefreshEvent>(t, "holdfast:refresh");
  const clock = new FakeClock();
  let failing = false;
  const slow = wrapStore(memoryStore({ clock }), async (method, work) => {
    if (method === "sessions.rotate") await clock.advance(40);
    return await work();
  });
  const store = failStore(slow, (name) => failing && name === "sessions.rotate" && "before");
  const { issuer } = createFixture({ clock, store });
  const { refresh_token: token } = await logIn(issuer);
  await issuer.refresh(token);
  await clock.advance(1_000);
  await issuer.refresh(token);
  failing = true;
  assert.equal((await issuer.refresh(token)).status, "unavailable");
  assert.equal((await issuer.refresh("no token")).status, "invalid_grant");
  assert.deepEqual(refreshes, [
    { issuer: issuer.name, outcome: "rotated", behindMs: null, durationMs: 40 },
    { issuer: issuer.name, outcome: "repeated", behindMs: 1_040, durationMs: 40 },
    { issuer: issuer.name, outcome: "unavailable", behindMs: null, durationMs: 0 },
  ]);
  await issuer.close();
});

test("each command to the store is one event with its method, outcome and time", async (t) => {
  const commands = collect<CommandEvent>(t, "holdfast:command");
  const clock = new FakeClock();
  const memory = memoryStore({ clock });
  let failing = false;
  const store = failStore(memory, (name) => failing && name === "sessions.rotate" && "before");
  const { issuer } = createFixture({ clock, store });
  const { refresh_token: token } = await logIn(issuer);
  failing = true;
  await issuer.refresh(token);
  const { description } = memory;
  const named = commands.filter(({ command }) => /^sessions\.(create|rotate)$/.test(command));
  assert.deepEqual(named, [
    { store: description, command: "sessions.create", outcome: "ok", durationMs: 0 },
    { store: description, command: "sessions.rotate", outcome: "failed", durationMs: 0 },
  ]);
  await issuer.close();
});
