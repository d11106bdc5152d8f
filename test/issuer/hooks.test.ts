import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { auditEvents, issuerEvents } from "../../src/core/event-channels.ts";
import type { AuditEvent, IssuerEvent } from "../../src/core/events.ts";
import type { Issuer, SessionEvent } from "../../src/issuer/index.ts";
import { createFixture, logIn, sendRequest } from "./fixture.ts";

/** Lets the calls of `onEvent` run, which begin after the current turn. */
async function settle(): Promise<void> {
  for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve));
}

function collect(): { told: SessionEvent[]; onEvent: (event: SessionEvent) => void } {
  const told: SessionEvent[] = [];
  return { told, onEvent: (event) => void told.push(event) };
}

function failures(t: TestContext): string[] {
  const messages: string[] = [];
  const listen = (published: unknown) => {
    const { event, message } = published as IssuerEvent;
    if (event === "hook_failed") messages.push(message);
  };
  issuerEvents.subscribe(listen);
  t.after(() => issuerEvents.unsubscribe(listen));
  return messages;
}

async function logInFrom(issuer: Issuer, device: string | undefined, username = "ann"): Promise<string> {
  const credentials = { username, password: `password of ${username}` };
  const outcome = await issuer.login(credentials, { device, source: "192.0.2.7" });
  assert.ok(outcome.status === "ok");
  await settle();
  return outcome.tokens.session_id;
}

test("a login is from a new device unless an older live session has the same one, whatever its versions", async () => {
  const { told, onEvent } = collect();
  const { clock, issuer } = createFixture({ onEvent });
  const firefox = (version: string) => `Mozilla/5.0 (X11; rv:${version}) Gecko/20100101 Firefox/${version}`;
  const first = await logInFrom(issuer, firefox("140.0"));
  const logInLater = async (device: string | undefined, username?: string) => {
    await clock.advance(1000);
    return await logInFrom(issuer, device, username);
  };
  await logInLater(firefox("141.0.2"));
  await logInLater(firefox("140.0"), "bob");
  const phone = await logInLater("phone app");
  const bare = await logInLater(undefined);
  await logInLater(undefined);
  const told1 = told.map((e) =>
    e.type === "new_device" ? [e.subject, e.session, e.device, e.otherSessions] : e,
  );
  assert.deepEqual(told1.slice(0, 1), [["ann", first, firefox("140.0"), 0]]);
  assert.deepEqual(told1.slice(2), [
    ["ann", phone, "phone app", 2],
    ["ann", bare, null, 3],
  ]);
  const { at, source } = told[0] as SessionEvent;
  assert.deepEqual([typeof at, source], ["number", "192.0.2.7"]);
});

test("of two logins from a new device at the same time, exactly one is reported", async () => {
  const { told, onEvent } = collect();
  const { issuer } = createFixture({ onEvent });
  await Promise.all([1, 2, 3].map(async () => await logInFrom(issuer, "new")));
  assert.deepEqual(
    told.map(({ type }) => type),
    ["new_device"],
  );
});

test("a session that ends is reported once, with its reason and its user", async () => {
  const { told, onEvent } = collect();
  const { issuer } = createFixture({ onEvent });
  const tokens = await logIn(issuer);
  await settle();
  told.length = 0;
  const logout = async () =>
    await sendRequest(issuer, "POST", "/auth/logout", { refresh_token: tokens.refresh_token });
  assert.equal((await logout()).status, 204);
  assert.equal((await logout()).status, 204);
  const other = await logIn(issuer);
  await settle();
  await issuer.endSession(other.session_id);
  await issuer.endSession("no such session");
  await logIn(issuer);
  await issuer.revoke({ kind: "subject", id: "ann" });
  await settle();
  const seen = told
    .filter(({ type }) => type !== "new_device")
    .map(({ at: _at, source: _source, ...event }) => event);
  assert.deepEqual(seen, [
    { type: "session_ended", subject: "ann", session: tokens.session_id, reason: "logout" },
    { type: "session_ended", subject: "ann", session: other.session_id, reason: "revoked" },
    { type: "subject_ended", subject: "ann", reason: "revoked", sessions: 1 },
  ]);
});

test("law 8: a reused refresh token is reported once, and so is the end of its session", async () => {
  const { told, onEvent } = collect();
  const { clock, issuer } = createFixture({ onEvent });
  const first = await logIn(issuer);
  const second = await issuer.refresh(first.refresh_token);
  assert.ok(second.status === "ok");
  await issuer.refresh(second.tokens.refresh_token);
  await clock.advance(60_000);
  for (let times = 0; times < 3; times++) {
    const outcome = await issuer.refresh(first.refresh_token, { source: "203.0.113.9" });
    assert.equal(outcome.status, "invalid_grant");
  }
  await settle();
  const seen = told.slice(1).map(({ at: _at, ...event }) => event);
  const facts = { subject: "ann", session: first.session_id, source: "203.0.113.9" };
  assert.deepEqual(seen, [
    { type: "refresh_reuse", ...facts },
    { type: "session_ended", ...facts, reason: "reuse" },
  ]);
});

test("the audit event of an ended session names the user, also when only an id was given", async (t) => {
  const { issuer, store } = createFixture();
  const seen: AuditEvent[] = [];
  const listen = (event: unknown) => seen.push(event as AuditEvent);
  auditEvents.subscribe(listen);
  t.after(() => auditEvents.unsubscribe(listen));
  const { session_id: session, refresh_token } = await logIn(issuer);
  await sendRequest(issuer, "POST", "/auth/logout", { refresh_token });
  await issuer.endSession((await logIn(issuer)).session_id, "revoked");
  const ended = seen.filter(({ kind }) => kind === "session_ended");
  assert.deepEqual(
    ended.map(({ subject }) => subject),
    ["ann", "ann"],
  );
  const stored = (await store.audit.recent(10)).find(
    (event) => event.session === session && event.kind === "session_ended",
  );
  assert.equal(stored?.subject, "ann");
});

test("too many attempts are reported once in each window", async () => {
  const { told, onEvent } = collect();
  const { issuer } = createFixture({ onEvent });
  const wrong = { username: "ann", password: "wrong" };
  let limited = 0;
  for (let attempts = 0; attempts < 40; attempts++) {
    const { status } = await issuer.login(wrong, { source: "192.0.2.7" });
    if (status === "limited") limited++;
  }
  await settle();
  assert.ok(limited > 1);
  assert.deepEqual(
    told.map(({ type, source }) => [type, source]),
    [["login_limited", "192.0.2.7"]],
  );
});

test("an onEvent that throws or rejects is reported without its message, and the login succeeds", async (t) => {
  const messages = failures(t);
  for (const onEvent of [
    () => {
      throw new Error("password of ann");
    },
    async () => await Promise.reject(new Error("password of ann")),
  ]) {
    const { issuer } = createFixture({ onEvent });
    await logIn(issuer);
    await settle();
  }
  assert.deepEqual(messages, Array(2).fill("onEvent failed, or its event could not be read"));
});

test("an onEvent that hangs delays nothing, is aborted after 10 seconds, and cannot fill the memory", async (t) => {
  const messages = failures(t);
  let calls = 0;
  let aborted = 0;
  const { clock, issuer } = createFixture({
    onEvent: async (_event, { signal }) => {
      calls++;
      signal.addEventListener("abort", () => aborted++);
      await new Promise(() => {});
    },
  });
  const logInMany = async (count: number) => {
    for (let done = 0; done < count; done++) {
      await logIn(issuer, `user ${calls} ${done}`, `192.0.2.${done % 200}`);
    }
    await settle();
  };
  await logInMany(120);
  assert.equal(calls, 100);
  assert.deepEqual(messages, ["onEvent is too slow: 100 calls are under way"]);
  await clock.advance(10_001);
  assert.equal(aborted, 100);
  assert.equal(messages.length, 101);
  await logInMany(3);
  assert.equal(calls, 103, "the places are free again");
});

test("onEvent must be a function", () => {
  assert.throws(() => createFixture({ onEvent: {} as never }), {
    code: "invalid_option",
    message: /^createIssuer: onEvent must be a function/,
  });
});
