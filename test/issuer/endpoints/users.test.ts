import assert from "node:assert/strict";
import { test } from "node:test";
import type { Issuer, IssuerOptions, TokenResponse } from "../../../src/issuer/types.ts";
import type { Store } from "../../../src/stores/store.ts";
import type { FakeClock } from "../../../src/testing/fake-clock.ts";
import { bearerHeader, createFixture, sendRequest, validateAtIssuer } from "../fixture.ts";

type Json = Record<string, unknown>;

async function withAdministrator(options: Partial<IssuerOptions> = {}): Promise<{
  issuer: Issuer;
  clock: FakeClock;
  store: Store;
  tokens: TokenResponse;
  send: (...call: Call) => Promise<[number, Json]>;
}> {
  const { issuer, clock, store } = createFixture({ authenticate: undefined, ...options } as object);
  await issuer.users.add({ username: "root", password: "password of root", scopes: ["holdfast:admin"] });
  const outcome = await issuer.login({ username: "root", password: "password of root" });
  assert.ok(outcome.status === "ok");
  await clock.advance(1000);
  const { tokens } = outcome;
  return {
    issuer,
    clock,
    store,
    tokens,
    send: async (...call) => await send(issuer, bearerHeader(tokens), ...call),
  };
}

type Call = [method: string, path: string, body?: unknown];

async function send(issuer: Issuer, headers: Record<string, string>, ...call: Call): Promise<[number, Json]> {
  const response = await sendRequest(
    issuer,
    ...([...call, ...(call.length < 3 ? [undefined] : [])] as [string, string, unknown]),
    headers,
  );
  assert.equal(response.headers.get("Cache-Control"), "no-store");
  const text = await response.text();
  return [response.status, text === "" ? {} : (JSON.parse(text) as Json)];
}

test("an administrator adds, reads, lists, changes and removes users over HTTP", async () => {
  const { issuer, clock, send: call } = await withAdministrator();
  const ann = { username: "Ann", password: "password of ann", scope: "a b" };
  const [created, added] = await call("POST", "/admin/users", ann);
  assert.equal(created, 201);
  assert.deepEqual(Object.keys(added), ["username", "subject", "scope", "created_at", "disabled_at"]);
  assert.deepEqual([added["username"], added["scope"], added["disabled_at"]], ["Ann", "a b", null]);
  assert.deepEqual(
    (await call("POST", "/admin/users", { ...ann, username: "ann" }))[1]["error"],
    "user_exists",
  );
  assert.deepEqual(await call("GET", "/admin/users/ann"), [200, added]);

  // A session that begins in the millisecond of a cut-off is superseded.
  const login = async () => {
    await clock.advance(2);
    return (await issuer.login({ username: "ann", password: "password of ann" })).status;
  };
  assert.equal(await login(), "ok");
  const [, disabled] = await call("PATCH", "/admin/users/ann", { disabled: true });
  assert.equal(typeof disabled["disabled_at"], "number");
  assert.equal(await login(), "denied");
  const [, enabled] = await call("PATCH", "/admin/users/ann", {
    disabled: false,
    scope: "",
    password: "12345678",
  });
  assert.deepEqual([enabled["disabled_at"], enabled["scope"]], [null, ""]);
  await clock.advance(2);
  assert.equal((await issuer.login({ username: "ann", password: "12345678" })).status, "ok");

  const [, page] = await call("GET", "/admin/users?limit=1");
  assert.deepEqual(
    [(page["users"] as Json[]).map((user) => user["username"]), page["next"]],
    [["Ann"], "Ann"],
  );
  const [, rest] = await call("GET", "/admin/users?limit=2&after=Ann");
  assert.deepEqual(
    [(rest["users"] as Json[]).map((user) => user["username"]), rest["next"]],
    [["root"], undefined],
  );

  assert.deepEqual(await call("DELETE", "/admin/users/ANN"), [204, {}]);
  for (const [method, body] of [["GET"], ["PATCH", {}], ["DELETE"]] as const) {
    assert.equal((await call(method, "/admin/users/ann", body))[1]["error"], "not_found");
  }
});

test("a change over HTTP ends the sessions, and the audit names the administrator", async () => {
  const { issuer, tokens, send: call } = await withAdministrator();
  await issuer.users.add({ username: "ann", password: "password of ann", scopes: ["a"] });
  const outcome = await issuer.login({ username: "ann", password: "password of ann" });
  assert.ok(outcome.status === "ok");
  assert.equal((await call("PATCH", "/admin/users/ann", { scope: "b" }))[0], 200);
  assert.equal((await validateAtIssuer(issuer, outcome.tokens.access_token)).valid, false);
  assert.equal((await validateAtIssuer(issuer, tokens.access_token)).valid, true);
});

test("the last administrator is 409 over HTTP, and stays one", async () => {
  const { send: call } = await withAdministrator();
  for (const [method, body] of [
    ["DELETE"],
    ["PATCH", { disabled: true }],
    ["PATCH", { scope: "" }],
  ] as const) {
    const [status, { error }] = await call(method, "/admin/users/root", body);
    assert.deepEqual([status, error], [409, "last_administrator"]);
  }
  assert.equal((await call("GET", "/admin/users/root"))[0], 200);
});

test("requests without the scope, with an unusable body or with a wrong page are refused by name", async () => {
  const { issuer, send: call } = await withAdministrator();
  await issuer.users.add({
    username: "ann",
    password: "password of ann",
    scopes: ["holdfast:administrator"],
  });
  const outcome = await issuer.login({ username: "ann", password: "password of ann" });
  assert.ok(outcome.status === "ok");
  const calls: Call[] = [
    ["GET", "/admin/users"],
    ["POST", "/admin/users", { username: "eve", password: "12345678", scope: "holdfast:admin" }],
    ["GET", "/admin/users/root"],
    ["PATCH", "/admin/users/root", { password: "12345678" }],
    ["DELETE", "/admin/users/root"],
  ];
  for (const one of calls) {
    const [forbidden, { error }] = await send(issuer, bearerHeader(outcome.tokens), ...one);
    assert.deepEqual([forbidden, error], [403, "insufficient_scope"]);
    assert.equal((await send(issuer, {}, ...one))[0], 401);
  }
  const bad: [Call, RegExp][] = [
    [["POST", "/admin/users", { username: "a\u0000b", password: "12345678" }], /^username: must be/],
    [["POST", "/admin/users", { username: "a", password: "short" }], /^password: must be 8/],
    [
      ["POST", "/admin/users", { username: "a", password: "12345678", scope: 'a"b' }],
      /^scope: must be scopes/,
    ],
    [
      ["POST", "/admin/users", { username: "a", password: "12345678", scope: "x".repeat(5000) }],
      /^scope: must fit/,
    ],
    [["POST", "/admin/users", { username: "a", password: "12345678", admin: true }], /admin/],
    [["PATCH", "/admin/users/ann", { disabled: "yes" }], /^disabled: must be true or false/],
    [["GET", "/admin/users?limit=0"], /^limit: must be/],
    [["GET", "/admin/users?limit=x"], /^limit: must be/],
    [["GET", "/admin/users?limit=0x2"], /^limit: must be/],
    [["GET", "/admin/users?limit=2e0"], /^limit: must be/],
    [["GET", "/admin/users?limit=%202"], /^limit: must be/],
    [["GET", "/admin/users?limit="], /^limit: must be/],
    [["POST", "/admin/users", { username: ".", password: "12345678" }], /^username: must be neither/],
    [["POST", "/admin/users", { username: " .. ", password: "12345678" }], /^username: must be neither/],
    [["POST", "/admin/users", { username: "\u2025", password: "12345678" }], /^username: must be neither/],
  ];
  for (const [one, expected] of bad) {
    const [status, { error, error_description: description }] = await call(...one);
    assert.deepEqual([status, error], [400, "invalid_request"], String(description));
    assert.match(String(description), expected);
  }
  assert.equal((await call("PUT", "/admin/users/ann", {}))[0], 405);
});

test("a new user has each scope once, and no name that a path of a URL cannot have", async () => {
  const { issuer, send: call } = await withAdministrator();
  const ann = { username: "ann", password: "password of ann", scope: "b a b" };
  assert.equal((await call("POST", "/admin/users", ann))[1]["scope"], "b a");
  const bob = { username: "bob", password: "password of bob", scopes: ["x", "x"] };
  await issuer.users.add(bob);
  assert.deepEqual((await issuer.users.get("bob"))?.scopes, ["x"]);
  await assert.rejects(issuer.users.add({ ...bob, username: ".." }), { code: "invalid_option" });
  const passwordHash = "$2b$04$abcdefghijklmnopqrstuuO7J8K3c4R2WmVbq0m3ZJxM5rF3Yw9nK";
  await assert.rejects(issuer.users.import([{ username: ".", passwordHash }]), /neither \. nor \.\./);
});

test("law 5: a record without a valid MAC hides no other user from the list", async () => {
  const { issuer, store, send: call } = await withAdministrator();
  for (const username of ["a1", "a2", "a3", "a4", "a5"]) {
    await issuer.users.add({ username, password: "long enough" });
  }
  for (const name of ["a1", "a2", "a4"]) {
    const record = await store.users.get(name);
    assert.ok(record !== null);
    await store.users.replace({ ...record, scopes: ["holdfast:admin"] }, record.mac);
  }
  for (const limit of [1, 2, 3, 100]) {
    const seen: unknown[] = [];
    for (let path: string | null = `/admin/users?limit=${limit}`; path !== null;) {
      const [, { users, next }] = await call("GET", path);
      seen.push(...(users as Json[]).map((user) => user["username"]));
      path = next === undefined ? null : `/admin/users?limit=${limit}&after=${next as string}`;
    }
    assert.deepEqual(seen, ["a3", "a5", "root"], `limit ${limit}`);
  }
});

test("law 1: a process whose secret was replaced lists no users, instead of none", async () => {
  const { issuer, store, clock } = await withAdministrator({ secret: "a".repeat(48) });
  const options = { store, clock, secret: `${"b".repeat(48)},${"a".repeat(48)}` };
  const { issuer: replaced } = createFixture({ authenticate: undefined, ...options } as object);
  await replaced.users.add({ username: "ann", password: "long enough", scopes: ["holdfast:admin"] });
  for (const call of [
    () => issuer.users.list(),
    () => issuer.users.list({ limit: 1 }),
    () => issuer.users.get("ann"),
  ]) {
    await assert.rejects(call, { code: "store_mismatch" });
  }
  assert.equal((await replaced.users.list()).length, 2);
});

test("the users do not exist over HTTP when the application checks credentials", async () => {
  const { issuer } = createFixture();
  assert.equal((await send(issuer, {}, "GET", "/admin/users"))[0], 404);
});
