import assert from "node:assert/strict";
import { test } from "node:test";
import { isHoldfastError } from "../../../src/core/errors.ts";
import type { SessionEvent } from "../../../src/issuer/index.ts";
import { bearerHeader, createFixture, logIn, sendRequest, validateAtIssuer } from "../fixture.ts";

type Page = { sessions: { session_id: string; current?: boolean }[]; next?: string };

/** An issuer whose user `root` is an administrator. */
async function withAdministrator(options: Parameters<typeof createFixture>[0] = {}) {
  const fixture = createFixture({
    ...options,
    authenticate: ({ username }) => ({
      subject: String(username),
      scopes: username === "root" ? ["holdfast:admin"] : [],
    }),
  });
  const { issuer, clock } = fixture;
  const administrator = await logIn(issuer, "root");
  await clock.advance(1000);
  const call = async (method: string, path: string, tokens = administrator) => {
    const response = await sendRequest(issuer, method, path, undefined, bearerHeader(tokens));
    const text = await response.text();
    return { status: response.status, body: (text === "" ? {} : JSON.parse(text)) as Page };
  };
  return { ...fixture, call };
}

test("an administrator reads the sessions of a user in pages, and ends one and then all of them", async () => {
  const { issuer, clock, store, call } = await withAdministrator();
  const logins = [];
  for (let i = 0; i < 5; i++) {
    const login = { username: "ann", password: "p", device_name: `device ${i}` };
    const response = await issuer.fetch(
      new Request("https://id.example.com/auth/login", {
        method: "POST",
        headers: { "Content-Type": "application/json", "User-Agent": "agent" },
        body: JSON.stringify(login),
      }),
      { source: "192.0.2.7" },
    );
    const tokens = (await response.json()) as { session_id: string; access_token: string };
    logins.push(tokens);
    await clock.advance(1000);
  }
  const ids = logins.map((login) => login.session_id).toReversed();
  const seen: string[] = [];
  for (let next: string | undefined = ""; next !== undefined;) {
    const after: string = next === "" ? "" : `&after=${encodeURIComponent(next)}`;
    const page: { status: number; body: Page } = await call(
      "GET",
      `/admin/sessions?subject=ann&limit=2${after}`,
    );
    assert.equal(page.status, 200);
    seen.push(...page.body.sessions.map((session) => session.session_id));
    ({ next } = page.body);
  }
  assert.deepEqual(seen, ids);
  const { sessions } = (await call("GET", "/admin/sessions?subject=ann")).body;
  const {
    session_id: _,
    auth_time: __,
    last_refreshed_at: ___,
    expires_at: ____,
    ...about
  } = (sessions[0] ?? {}) as {
    [name: string]: unknown;
  };
  assert.deepEqual(about, {
    device: "agent",
    device_name: "device 4",
    address: "192.0.2.7",
    client_id: "holdfast",
    scope: "",
  });

  assert.equal((await call("DELETE", `/admin/sessions/${ids[1]}`)).status, 204);
  assert.equal((await call("DELETE", `/admin/sessions/${ids[1]}`)).status, 204);
  assert.equal((await call("DELETE", "/admin/sessions/unknown")).status, 404);
  assert.equal((await validateAtIssuer(issuer, logins[3]?.access_token ?? "")).valid, false);
  assert.equal((await validateAtIssuer(issuer, logins[4]?.access_token ?? "")).valid, true);
  assert.equal((await call("DELETE", "/admin/sessions?subject=ann")).status, 204);
  assert.equal((await validateAtIssuer(issuer, logins[4]?.access_token ?? "")).valid, false);
  assert.deepEqual((await call("GET", "/admin/sessions?subject=ann")).body, { sessions: [] });
  const events = (await store.audit.recent(50)).filter(({ kind }) => kind.endsWith("_ended"));
  assert.deepEqual(
    events.map(({ kind, actor, subject, detail }) => [kind, actor, subject, detail]),
    [
      ["subject_ended", "root", "ann", "revoked, sessions: 4"],
      ["session_ended", "root", "ann", "revoked"],
    ],
  );
});

test("the sessions of others are closed to a user, and malformed requests are 400", async () => {
  const { issuer, call } = await withAdministrator();
  const ann = await logIn(issuer, "ann");
  const requests: [string, string][] = [
    ["GET", "/admin/sessions?subject=root"],
    ["DELETE", "/admin/sessions?subject=root"],
    ["DELETE", `/admin/sessions/${ann.session_id}`],
  ];
  for (const [method, path] of requests) assert.equal((await call(method, path, ann)).status, 403, path);
  for (const query of [
    "",
    "?subject=",
    "?subject=a&username=b",
    "?subject=a&limit=501",
    "?subject=a&after=x",
  ]) {
    assert.equal((await call("GET", `/admin/sessions${query}`)).status, 400, query);
  }
  assert.equal((await call("GET", "/auth/sessions?limit=0", ann)).status, 400);
});

test("a user reads the own sessions in pages, with the current one marked", async () => {
  const { issuer, clock, call } = await withAdministrator();
  const first = await logIn(issuer, "ann");
  await clock.advance(1000);
  await logIn(issuer, "ann");
  const page = await call("GET", "/auth/sessions?limit=1", first);
  assert.deepEqual(
    page.body.sessions.map(({ current }) => current),
    [false],
  );
  const rest = await call("GET", `/auth/sessions?after=${page.body.next}`, first);
  assert.deepEqual(
    rest.body.sessions.map(({ current }) => current),
    [true],
  );
  assert.equal(rest.body.next, undefined);
});

test("law 3: a login beyond the bound of sessions ends the idlest one, and revokes its access token", async () => {
  const told: SessionEvent[] = [];
  const { issuer, clock, store } = await withAdministrator({
    maxSessions: 2,
    onEvent: (event) => void told.push(event),
  });
  const first = await logIn(issuer, "ann");
  await clock.advance(1000);
  const second = await logIn(issuer, "ann");
  await clock.advance(1000);
  assert.equal((await issuer.refresh(first.refresh_token)).status, "ok");
  await logIn(issuer, "ann", "192.0.2.9");
  assert.equal((await validateAtIssuer(issuer, second.access_token)).valid, false);
  assert.equal((await issuer.refresh(second.refresh_token)).status, "invalid_grant");
  assert.equal((await validateAtIssuer(issuer, first.access_token)).valid, true);
  const [event] = (await store.audit.recent(9)).filter(({ kind }) => kind === "session_ended");
  const { session_id: session } = second;
  assert.deepEqual(
    [event?.session, event?.subject, event?.detail, event?.source],
    [session, "ann", "evicted", "192.0.2.9"],
  );
  while (!told.some(({ type }) => type === "session_ended")) await clock.advance(1);
  const ended = told.find(({ type }) => type === "session_ended");
  assert.ok(ended?.type === "session_ended" && ended.reason === "evicted" && ended.session === session);
});

test("the application lists and ends sessions with `issuer.sessions`", async () => {
  const { issuer, clock } = await withAdministrator();
  const one = await logIn(issuer, "ann", "192.0.2.7");
  await clock.advance(1000);
  await logIn(issuer, "ann");
  const { sessions, next } = await issuer.sessions.list("ann", { limit: 1 });
  assert.ok(next !== null);
  assert.equal(sessions[0]?.address, null);
  const rest = await issuer.sessions.list("ann", { after: next });
  assert.deepEqual(
    rest.sessions.map(({ id, address, lastUsedAt, startedAt }) => [id, address, lastUsedAt - startedAt]),
    [[one.session_id, "192.0.2.7", 0]],
  );
  assert.equal(rest.next, null);
  assert.equal(await issuer.sessions.end("unknown"), "unknown");
  assert.equal(await issuer.sessions.end(one.session_id, { actor: "support" }), "ended");
  assert.equal(await issuer.sessions.endAll("ann"), 1);
  const refused = (error: unknown) => isHoldfastError(error, "invalid_option");
  await assert.rejects(issuer.sessions.list("ann", { after: "x" }), refused);
  await assert.rejects(issuer.sessions.list("ann", { limit: 501 }), refused);
});
