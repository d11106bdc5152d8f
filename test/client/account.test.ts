import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Ended,
  Unavailable,
  type AuthClient,
  type AuthStorage,
  type TokenAnswer,
} from "../../src/client/index.ts";
import { waitUntil } from "../support/deadline.ts";
import { idUrl, settle, startDevice } from "./device.ts";

const credentials = { username: "ann", password: "correct horse battery" };
const userOf = ({ state }: AuthClient) => (state.status === "in" ? state.subject : state.status);
const json = { "Content-Type": "application/json" };

test("tokens of another flow are adopted, and refreshed as others", async (t) => {
  const device = startDevice(t);
  const auth = device.tab();
  const request = { method: "POST", headers: json, body: JSON.stringify(credentials) };
  const answer = await device.issuer.fetch(new Request(`${idUrl}/auth/login`, request));
  const tokens = (await answer.json()) as TokenAnswer;
  await auth.adopt(tokens);
  assert.equal(auth.peek(), tokens.access_token);
  assert.notEqual(await auth.accessToken({ fresh: true }), tokens.access_token);
  const malformed: object[] = [{}, { ...tokens, expires_in: -1 }, { ...tokens, refresh_token: "" }];
  malformed.push({ ...tokens, access_token: "opaque" }, { ...tokens, session_id: 5 });
  for (const one of malformed)
    await assert.rejects(auth.adopt(one as TokenAnswer), /TypeError: adopt: tokens/);
  assert.equal(auth.state.status, "in");
});

test("the sessions of the user are listed, and another one or the own one is ended", async (t) => {
  const device = startDevice(t);
  const [auth, other] = [device.tab(), device.tab({ storage: "memory", key: "other" })];
  await auth.login(credentials);
  await other.login(credentials);
  const listed = await auth.sessions();
  const [there, here] = listed.toSorted((a, b) => Number(a.current) - Number(b.current));
  assert.deepEqual([listed.length, there?.current, here?.current], [2, false, true]);
  await auth.endSession(there?.session_id ?? "");
  await auth.endSession("of nobody");
  await assert.rejects(other.accessToken({ fresh: true }), Ended);
  await auth.endSession(here?.session_id ?? "");
  assert.deepEqual(auth.state, { status: "out", cause: "logout" });
  await assert.rejects(auth.sessions(), Ended);
});

test("law 12: only the service itself confirms a logout, and a page of a proxy does not", async (t) => {
  const device = startDevice(t);
  const auth = device.tab();
  await auth.login(credentials);
  const sid = auth.state.status === "in" ? auth.state.sessionId : "";
  const pages = [() => new Response("<h1>Hotel</h1>"), () => new Response("no", { status: 400 })];
  pages.push(() => new Response("", { status: 503 }));
  for (const page of pages) {
    device.fault = page;
    await auth.logout();
    assert.equal(device.storage.record?.outbox.length, 1);
  }
  device.fault = () => undefined;
  device.tab();
  await settle();
  assert.deepEqual(device.storage.record?.outbox, []);
  assert.equal((await device.issuer.refresh("x")).status, "invalid_grant");
  const next = device.tab();
  await next.login(credentials);
  assert.deepEqual(
    (await next.sessions()).map(({ session_id: id }) => id === sid),
    [false],
  );
});

test("law 12: a logout that the service cannot carry out does not hold up the next one", async (t) => {
  const device = startDevice(t);
  const auth = device.tab();
  await auth.login(credentials);
  const stuck = device.storage.record?.refresh ?? "";
  device.fault = async (_, request, pass) => {
    const isStuck = (await request.clone().text()).includes(stuck);
    return isStuck ? new Response("", { status: 500 }) : await pass();
  };
  await auth.logout();
  await auth.login({ ...credentials, username: "bob" });
  await auth.logout();
  assert.deepEqual(device.storage.record?.outbox, [{ refresh: stuck, everywhere: undefined }]);
});

test("a logout everywhere ends all sessions, and with a spent token at least its own", async (t) => {
  const device = startDevice(t);
  const [auth, other] = [device.tab(), device.tab({ storage: "memory", key: "other" })];
  await auth.login(credentials);
  await other.login(credentials);
  await auth.logout({ everywhere: true });
  await assert.rejects(other.accessToken({ fresh: true }), Ended);
  assert.deepEqual(device.storage.record?.outbox, []);
  await other.login(credentials);
  await auth.login(credentials);
  device.sent.length = 0;
  device.fault = (path) =>
    path === "/auth/logout-all" ? Response.json({ error: "invalid_grant" }, { status: 400 }) : undefined;
  await auth.logout({ everywhere: true });
  assert.equal(device.count("/auth/logout"), 1);
  assert.deepEqual(device.storage.record?.outbox, []);
});

test("a storage that fails for a while gets the newer session when it works again", async (t) => {
  const device = startDevice(t);
  const auth = device.tab();
  await auth.login(credentials);
  device.storage.isBroken = true;
  await auth.accessToken({ fresh: true });
  assert.equal(auth.state.status === "in" && auth.state.persistence, "memory");
  const stored = device.storage.record?.n ?? 0;
  device.storage.isBroken = false;
  await device.clock.advance(31_000);
  const token = await auth.accessToken({ fresh: true });
  assert.equal(auth.state.status === "in" && auth.state.persistence, "device");
  assert.equal(device.storage.record?.access, token);
  assert.ok((device.storage.record?.n ?? 0) > stored + 1);
  assert.equal(await device.hasAlarm(), false);
});

test("a storage that failed at the start does not bring the session before back in place of a new login", async (t) => {
  const device = startDevice(t);
  const before = device.tab();
  await before.login(credentials);
  await before.accessToken({ fresh: true });
  // The refresh has made the number of the record larger by at most 4.
  const loggedInAt = Date.now();
  await waitUntil(async () => Date.now() > loggedInAt + 4, "a later time");
  device.storage.isBroken = true;
  const auth = device.tab();
  await auth.ready;
  assert.equal(userOf(auth), "out");
  await auth.login({ ...credentials, username: "bob" });
  device.storage.isBroken = false;
  await device.clock.advance(31_000);
  await auth.accessToken({ fresh: true });
  assert.equal(userOf(auth), "bob");
  assert.equal(device.storage.record?.sub, "bob");
});

test("law 3: a page whose storage failed hears the logout of another page, and each record is sent a few times", async (t) => {
  const device = startDevice(t);
  const [one, two] = [device.tab(), device.tab()];
  let messages = 0;
  const channel = new BroadcastChannel(`holdfast:${t.name}`);
  channel.addEventListener("message", () => messages++);
  t.after(() => channel.close());
  await one.login(credentials);
  await settle();
  device.storage.isBroken = true;
  await one.accessToken({ fresh: true });
  await settle(100);
  assert.ok(messages <= 4, `${messages} messages`);
  device.storage.isBroken = false;
  await device.tab().logout();
  await settle();
  assert.deepEqual([one, two].map(userOf), ["out", "out"]);
});

test("law 3: a logout that the storage carries out too late does not end the next login", async (t) => {
  const device = startDevice(t);
  let isSlow = false;
  const late: (() => void)[] = [];
  const storage: AuthStorage = {
    persistence: "device",
    update: async (change) => {
      if (isSlow) await new Promise<void>((resolve) => late.push(resolve));
      return await device.storage.update(change);
    },
  };
  const auth = device.tab({ storage });
  await auth.login(credentials);
  isSlow = true;
  const logout = auth.logout();
  await device.clock.advance(2_000);
  await logout;
  assert.equal(userOf(auth), "out");
  await auth.login({ ...credentials, username: "bob" });
  isSlow = false;
  for (const resume of late) resume();
  await settle();
  await device.clock.advance(31_000);
  await auth.accessToken({ fresh: true });
  assert.equal(userOf(auth), "bob");
});

test("a session in cookies that another flow began is not ended by a logout that waits", async (t) => {
  const device = startDevice(t);
  const answer = (subject: string) => ({ session_id: `session of ${subject}`, subject, expires_in: 600 });
  device.fault = (path) =>
    path === "/auth/login" ? Response.json(answer("ann")) : new Response("", { status: 503 });
  const auth = device.tab({ mode: "cookie" });
  await auth.login(credentials);
  await auth.logout();
  assert.equal(device.storage.record?.outbox.length, 1);
  await auth.adopt(answer("bob"));
  assert.equal(userOf(auth), "bob");
  assert.deepEqual(device.storage.record?.outbox, []);
});

test("a login during an outage is unavailable, and options and origins are checked by name", async (t) => {
  const device = startDevice(t);
  device.fault = async () => await Promise.reject(new TypeError("Failed to fetch"));
  await assert.rejects(device.tab().login(credentials), Unavailable);
  assert.throws(() => device.tab({ baseUrl: "id.example.com" }), /TypeError: baseUrl must be a URL/);
  assert.throws(() => device.tab({ origins: ["ftp://x"] }), /TypeError: origins must be a URL/);
  const mode = "cookies" as "cookie";
  assert.throws(() => device.tab({ mode }), /TypeError: mode must be token or cookie, got cookies/);
  const storage = "localStorage" as "device";
  assert.throws(
    () => device.tab({ storage }),
    /TypeError: storage must be device or memory, got localStorage/,
  );
});
