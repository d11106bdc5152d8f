import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import type {
  AuditAnswer,
  SessionsAnswer,
  SettingsAnswer,
  SignedIn,
  UsersAnswer,
} from "../../../../src/dashboard/wire-api.ts";
import { createLogger } from "../../../../src/server/logs.ts";
import { startService } from "../../../../src/server/serve.ts";
import { createSessionDigest } from "../../../../src/server/session-digest.ts";
import { login, post } from "../../../support/auth-calls.ts";
import { temporarySettings } from "../../temporary-settings.ts";

const SECRET = "s".repeat(43);
const PASSWORD = "correct horse battery";

async function start(t: TestContext, more: Record<string, string> = {}) {
  const running = await startService(await temporarySettings(more), createLogger("silent"));
  t.after(running.stop);
  const { adminAddress } = running;
  const get = async (path: string, headers: Record<string, string> = {}) =>
    await fetch(adminAddress + path, { headers });
  const signIn = async (username = "alice", password = PASSWORD) =>
    await post(adminAddress, "/api/login", { username, password });
  return { ...running, get, signIn };
}

async function read<T>(response: Response): Promise<T> {
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("cache-control"), "no-store");
  return (await response.json()) as T;
}

test("an administrator signs in on the page, renews the token, and signs out", async (t) => {
  const { adminAddress, get, signIn } = await start(t);
  const before = Date.now();
  const first = await read<SignedIn>(await signIn());
  assert.ok(first.expiresAt >= before + 600_000 && first.expiresAt <= Date.now() + 600_000);
  const authorization = `Bearer ${first.accessToken}`;
  const { sessions } = await read<SessionsAnswer>(
    await get("/api/sessions?username=alice", { authorization }),
  );
  assert.deepEqual([sessions[0]?.deviceName, sessions[0]?.subject], ["Dashboard", first.subject]);
  // The session is a short one: an hour without use.
  assert.ok((sessions[0]?.expiresAt ?? Infinity) <= Date.now() + 3_600_000);
  const renewal = await post(adminAddress, "/api/refresh", { refreshToken: first.refreshToken });
  const second = await read<SignedIn>(renewal);
  assert.notEqual(second.refreshToken, first.refreshToken);
  const out = await post(adminAddress, "/api/logout", { refreshToken: second.refreshToken });
  assert.equal(out.status, 204);
  assert.equal((await get("/api/users", { authorization: `Bearer ${second.accessToken}` })).status, 401);
});

test("a user without the scope of an administrator cannot sign in, and keeps no session", async (t) => {
  const { publicAddress, get, signIn } = await start(t);
  const { access_token: token } = await login(publicAddress);
  const user = { username: "bob", password: PASSWORD, scope: "orders:read" };
  assert.equal((await post(publicAddress, "/admin/users", user, token)).status, 201);
  const refused = await signIn("bob");
  assert.equal(refused.status, 403);
  assert.match(await refused.text(), /holdfast:admin/);
  const authorization = `Bearer ${token}`;
  const { sessions } = await read<SessionsAnswer>(await get("/api/sessions?username=bob", { authorization }));
  assert.deepEqual(sessions, []);
  assert.equal((await signIn("alice", "wrong password")).status, 401);
  assert.equal((await signIn("nobody")).status, 401);
});

test("law 6: a page of another site can send nothing to the API, and takes no place of the stream", async (t) => {
  const { adminAddress } = await start(t);
  const send = async (headers: Record<string, string>) => {
    const body = JSON.stringify({ username: "alice", password: PASSWORD });
    const { status } = await fetch(`${adminAddress}/api/login`, { method: "POST", headers, body });
    return status;
  };
  const json = { "content-type": "application/json" };
  assert.equal(await send({ ...json, "sec-fetch-site": "same-origin" }), 200);
  for (const site of ["cross-site", "same-site"]) {
    assert.equal(await send({ ...json, "sec-fetch-site": site }), 403, site);
  }
  assert.equal(await send({ "content-type": "text/plain" }), 415);
  for (const path of ["/events", "/api/audit", "/api/settings"]) {
    const { status } = await fetch(adminAddress + path, { headers: { "sec-fetch-site": "cross-site" } });
    assert.equal(status, 403, `${path} takes no place and no work`);
  }
});

test("sessions are found by subject, by user and by id, with the number of their refreshes, in pages", async (t) => {
  const { publicAddress, get } = await start(t);
  const tokens = [await login(publicAddress), await login(publicAddress), await login(publicAddress)];
  const [first] = tokens;
  assert.ok(first !== undefined);
  const refreshed = await post(publicAddress, "/auth/refresh", { refresh_token: first.refresh_token });
  assert.equal(refreshed.status, 200);
  const authorization = `Bearer ${first.access_token}`;
  const list = async (query: string) =>
    await read<SessionsAnswer>(await get(`/api/sessions?${query}`, { authorization }));
  const { sessions: found } = await list(`session=${first.session_id}`);
  assert.deepEqual(
    found.map(({ id, refreshes, streak, address }) => ({ id, refreshes, streak, address })),
    [{ id: first.session_id, refreshes: 1, streak: 0, address: "127.0.0.1" }],
  );
  const { sessions: untouched } = await list(`session=${tokens[1]?.session_id}`);
  assert.equal(untouched[0]?.refreshes, 0, "a login is no refresh");
  const subject = found[0]?.subject ?? "";
  const page = await list(`subject=${subject}&limit=2`);
  const rest = await list(`subject=${subject}&limit=2&after=${page.next}`);
  const ids = [...page.sessions, ...rest.sessions].map(({ id }) => id);
  assert.deepEqual(ids.toSorted(), tokens.map(({ session_id }) => session_id).toSorted());
  assert.equal(rest.next, null);
  assert.deepEqual((await list("session=unknown")).sessions, []);
  for (const query of [
    "",
    "subject=a&username=alice",
    "subject=a&limit=0",
    "subject=a&after=x",
    `subject=${"a".repeat(2_000)}`,
  ]) {
    assert.equal((await get(`/api/sessions?${query}`, { authorization })).status, 400, query);
  }
  assert.equal((await get("/api/sessions?username=nobody", { authorization })).status, 404);
});

test("a session is found by the digest that the log names it by, also when its login is many events ago", async (t) => {
  const data = await temporarySettings({ HOLDFAST_SECRET: SECRET });
  const running = await startService(data, createLogger("silent"));
  t.after(running.stop);
  const { publicAddress, adminAddress } = running;
  const { access_token: token, session_id: session } = await login(publicAddress);
  const digest = createSessionDigest(SECRET)(session);
  const headers = { authorization: `Bearer ${token}` };
  const ask = async <T>(path: string) => await read<T>(await fetch(adminAddress + path, { headers }));
  const { events } = await ask<AuditAnswer>(`/api/audit?session=${digest}`);
  assert.deepEqual(
    events.map((event) => [event.kind, event.session]),
    [["login", session]],
  );
  const idsOf = ({ sessions }: SessionsAnswer) => sessions.map(({ id }) => id);
  assert.deepEqual(idsOf(await ask(`/api/sessions?session=${digest}`)), [session]);
  const unknown = digest.replace(/^./, (first) => (first === "0" ? "1" : "0"));
  assert.deepEqual((await ask<AuditAnswer>(`/api/audit?session=${unknown}`)).events, []);
  assert.deepEqual(idsOf(await ask(`/api/sessions?session=${unknown}`)), []);
  const db = new DatabaseSync(join(data.dataDir, "holdfast.db"));
  const insert = db.prepare('INSERT INTO audit ("at", kind, detail) VALUES (?, ?, ?)');
  db.exec("BEGIN");
  for (let i = 0; i < 1_500; i++) insert.run(Date.now(), "login_refused", `refusal ${i}`);
  db.exec("COMMIT");
  db.close();
  assert.deepEqual(idsOf(await ask(`/api/sessions?session=${digest}`)), [session]);
});

test("sessions and users need an access token of an administrator of this service", async (t) => {
  const { publicAddress, get } = await start(t);
  for (const path of ["/api/users", "/api/sessions?username=alice"]) {
    assert.equal((await get(path)).status, 401);
    assert.equal((await get(path, { authorization: "Bearer forged" })).status, 401);
  }
  const { access_token: token } = await login(publicAddress);
  const { users, next } = await read<UsersAnswer>(
    await get("/api/users", { authorization: `Bearer ${token}` }),
  );
  assert.deepEqual([users.map(({ username }) => username), next], [["alice"], null]);
});

test("audit events are filtered by kind, subject, session and text, the newest first", async (t) => {
  const { publicAddress, get } = await start(t);
  const { session_id: session } = await login(publicAddress);
  await post(publicAddress, "/auth/login", { username: "mallory", password: "wrong password" });
  const list = async (query: string) => await read<AuditAnswer>(await get(`/api/audit?${query}`));
  const all = await list("");
  assert.deepEqual(
    all.events.slice(0, 2).map(({ kind }) => kind),
    ["login_refused", "login"],
  );
  assert.ok(all.kinds.includes("login_refused") && !all.hasMore && all.searched >= 2);
  assert.deepEqual(
    (await list("kind=login")).events.map((event) => event.session),
    [session],
  );
  assert.equal((await list(`session=${session}`)).events.length, 1);
  assert.equal((await list("text=LOGIN_REF")).events.length, 1);
  assert.equal((await list("kind=login&text=refused")).events.length, 0);
  assert.equal((await list("limit=1")).events.length, 1);
  assert.equal((await get("/api/audit?limit=501")).status, 400);
});

test("law 5: settings show each value with its source, and no secret", async (t) => {
  const secret = "s".repeat(40);
  const { get } = await start(t, {
    HOLDFAST_SECRET: secret,
    HOLDFAST_CLIENTS: "orders:the secret of orders",
  });
  const response = await get("/api/settings");
  const text = await response.clone().text();
  for (const hidden of [secret, "the secret of orders", PASSWORD]) assert.ok(!text.includes(hidden));
  const { settings } = await read<SettingsAnswer>(response);
  const of = (name: string) => {
    const found = settings.find((one) => one.name === name);
    return [found?.value, found?.source, found?.isSecret];
  };
  assert.deepEqual(of("HOLDFAST_PORT"), ["0", "environment", false]);
  assert.deepEqual(of("HOLDFAST_STORE"), ["sqlite", "default", false]);
  assert.deepEqual(of("HOLDFAST_GUARD"), [null, "unset", false]);
  const [fingerprint, source, isSecret] = of("HOLDFAST_SECRET");
  assert.match(String(fingerprint), /^#[0-9a-f]{12}$/);
  assert.deepEqual([source, isSecret], ["environment", true]);
  const other = await start(t, { HOLDFAST_SECRET: secret, HOLDFAST_CLIENTS: "orders:another secret of it" });
  const { settings: others } = await read<SettingsAnswer>(await other.get("/api/settings"));
  const pick = (all: SettingsAnswer["settings"], name: string) => all.find((one) => one.name === name)?.value;
  assert.equal(pick(others, "HOLDFAST_SECRET"), fingerprint);
  assert.notEqual(pick(others, "HOLDFAST_CLIENTS"), pick(settings, "HOLDFAST_CLIENTS"));
});
