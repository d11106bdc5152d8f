import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Issuer, IssuerOptions, TokenResponse } from "../../../src/issuer/types.ts";
import {
  BASIC,
  bearerHeader,
  sendRequest,
  claimsOf,
  createFixture,
  logIn,
  ISSUER_URL,
  validateAtIssuer,
} from "../fixture.ts";
import { failStore } from "../stores.ts";

type Form = Readonly<Record<string, string>>;
type Json = Readonly<Record<string, unknown>>;

const SECRET = "the secret: of 50% & more+";
const clients: NonNullable<IssuerOptions["clients"]> = [
  { id: "orders", secret: "the secret of orders" },
  { id: "billing & co", secret: SECRET, scopes: ["invoices:read", "invoices:write"] },
];
const orders = { Authorization: BASIC };
const billing = { client_id: "billing & co", client_secret: SECRET };

const basic = (text: string) => ({ Authorization: `Basic ${Buffer.from(text).toString("base64")}` });
const encoded = (text: string) => new URLSearchParams({ "": text }).toString().slice(1);

async function post(
  issuer: Issuer,
  path: string,
  form: Form | string,
  headers: Form = {},
): Promise<Response> {
  const body = typeof form === "string" ? form : new URLSearchParams(form).toString();
  const type = { "Content-Type": "application/x-www-form-urlencoded" };
  return await sendRequest(issuer, "POST", path, body, { ...type, ...headers });
}

async function answer(response: Response, status: number): Promise<Json> {
  const text = await response.text();
  assert.equal(response.status, status, text);
  assert.equal(response.headers.get("Cache-Control"), "no-store");
  return JSON.parse(text) as Json;
}

async function introspect(issuer: Issuer, token: string): Promise<Json> {
  return await answer(await post(issuer, "/oauth/introspect", { token }, orders), 200);
}

async function clientToken(issuer: Issuer, form: Form = {}): Promise<TokenResponse> {
  const grant = { grant_type: "client_credentials", ...billing, ...form };
  return (await answer(await post(issuer, "/oauth/token", grant), 200)) as unknown as TokenResponse;
}

async function refreshed(issuer: Issuer, token: string): Promise<TokenResponse> {
  const outcome = await issuer.refresh(token);
  assert.ok(outcome.status === "ok");
  return outcome.tokens;
}

describe("client authentication (RFC 6749 §2.3.1)", () => {
  const grant = { grant_type: "client_credentials" };

  test("accepts a secret in Basic, form-encoded or not, and in the body", async () => {
    const { issuer } = createFixture({ clients });
    const ways: [Form, Form][] = [
      [basic(`${encoded("billing & co")}:${encoded(SECRET)}`), {}],
      [basic(`billing & co:${SECRET}`), {}],
      [{}, billing],
      [basic(`billing & co:${SECRET}`), { client_id: "billing & co" }],
    ];
    for (const [headers, form] of ways) {
      const tokens = await answer(await post(issuer, "/oauth/token", { ...grant, ...form }, headers), 200);
      assert.equal(claimsOf(tokens["access_token"] as string)["sub"], "billing & co");
    }
  });

  test("a wrong, foreign or missing secret or an unknown id is invalid_client with a challenge", async () => {
    const { issuer } = createFixture({ clients });
    const ways: [Form, Form][] = [
      [{}, {}],
      [{}, { client_id: "orders" }],
      [{}, { client_id: "nobody" }],
      [{}, { client_secret: SECRET }],
      [{}, { client_id: "orders", client_secret: SECRET }],
      [{}, { client_id: "holdfast", client_secret: SECRET }],
      [basic("orders:"), {}],
      [basic("orders"), {}],
      [{ Authorization: "Basic" }, {}],
      [{ Authorization: `${BASIC}, ${BASIC}` }, {}],
      [{ Authorization: "Bearer x" }, {}],
    ];
    for (const [headers, form] of ways) {
      for (const path of ["/oauth/token", "/oauth/introspect"]) {
        const response = await post(issuer, path, { ...grant, token: "x", ...form }, headers);
        assert.equal(response.headers.get("WWW-Authenticate"), 'Basic realm="auth"');
        assert.equal((await answer(response, 401))["error"], "invalid_client");
      }
    }
  });

  test("rejects two ways of authentication or two client ids in one request", async () => {
    const { issuer } = createFixture({ clients });
    for (const form of [{ client_secret: "the secret of orders" }, { client_id: "billing & co" }, billing]) {
      const body = await answer(await post(issuer, "/oauth/token", { ...grant, ...form }, orders), 400);
      assert.equal(body["error"], "invalid_request");
    }
  });
});

test("every endpoint rejects a malformed form as RFC 6749 says", async () => {
  const { issuer } = createFixture({ clients });
  const json = { "Content-Type": "application/json" };
  const cases: [form: string, headers: Form, status: number, error: string][] = [
    ["{}", json, 415, "invalid_request"],
    ["", {}, 400, "invalid_request"],
    ["token=a&token=a&grant_type=x", {}, 400, "invalid_request"],
    ["token=&grant_type=", {}, 400, "invalid_request"],
    ["odd=1&odd=&token=a&grant_type=refresh_token&refresh_token=a", {}, 400, "invalid_request"],
    [`token=${"x".repeat(65_536)}`, {}, 413, "invalid_request"],
  ];
  for (const path of ["/oauth/token", "/oauth/introspect", "/oauth/revoke"]) {
    for (const [form, headers, status, error] of cases) {
      const body = await answer(await post(issuer, path, form, { ...orders, ...headers }), status);
      assert.deepEqual(Object.keys(body), ["error", "error_description"]);
      assert.equal(body["error"], error);
    }
    assert.equal((await sendRequest(issuer, "GET", path)).status, 405);
  }
});

test("rejects an unsupported grant", async () => {
  const { issuer } = createFixture({ clients });
  for (const grant_type of ["password", "authorization_code", "refresh_token "]) {
    const body = await answer(await post(issuer, "/oauth/token", { grant_type, ...billing }), 400);
    assert.equal(body["error"], "unsupported_grant_type");
  }
});

describe("the refresh_token grant", () => {
  const refresh = { grant_type: "refresh_token" };

  test("law 8: public clients and services spend the same token once, with /auth/refresh", async () => {
    const { issuer } = createFixture({ clients });
    const { refresh_token } = await logIn(issuer);
    const form = { ...refresh, refresh_token };
    const answers = await Promise.all([
      post(issuer, "/oauth/token", form),
      post(issuer, "/oauth/token", { ...form, client_id: "holdfast" }),
      post(issuer, "/oauth/token", form, orders),
      sendRequest(issuer, "POST", "/auth/refresh", { refresh_token }),
    ]);
    const bodies = await Promise.all(answers.map(async (one) => await answer(one, 200)));
    assert.equal(new Set(bodies.map((one) => one["refresh_token"])).size, 1);
    assert.equal(claimsOf(bodies[2]?.["access_token"] as string)["client_id"], "holdfast");
  });

  test("a client id without its secret or an unknown client id spends nothing", async () => {
    const { issuer } = createFixture({ clients });
    const { refresh_token } = await logIn(issuer);
    for (const client_id of ["orders", "nobody"]) {
      const body = await answer(
        await post(issuer, "/oauth/token", { ...refresh, refresh_token, client_id }),
        401,
      );
      assert.equal(body["error"], "invalid_client");
    }
    const [, generation] = String(
      claimsOf((await refreshed(issuer, refresh_token)).access_token)["jti"],
    ).split(".");
    assert.equal(generation, "2", "this was the first refresh");
  });

  test("law 8: a conflict is 409 and neither issues nor ends anything; a spent token is invalid_grant", async () => {
    const { issuer, clock } = createFixture({ clients });
    const first = (await logIn(issuer)).refresh_token;
    const send = async (token: unknown) =>
      await post(issuer, "/oauth/token", { ...refresh, refresh_token: String(token) });
    const second = (await answer(await send(first), 200))["refresh_token"];
    const third = await answer(await send(second), 200);
    assert.equal((await answer(await send(first), 409))["error"], "refresh_conflict");
    assert.equal((await validateAtIssuer(issuer, third["access_token"] as string)).valid, true);
    await clock.advance(30_000);
    assert.equal((await answer(await send(first), 400))["error"], "invalid_grant");
    assert.equal((await validateAtIssuer(issuer, third["access_token"] as string)).reason, "revoked");
  });

  test("scope narrows this access token only; a wider scope is refused and spends nothing", async () => {
    const scopes = ["orders:read", "orders:write"];
    const { issuer } = createFixture({ clients, authenticate: () => ({ subject: "ann", scopes }) });
    const { refresh_token } = await logIn(issuer);
    const send = async (token: unknown, scope: string) =>
      await post(issuer, "/oauth/token", { ...refresh, refresh_token: String(token), scope });
    for (const scope of ["orders:read admin", "orders", "orders:read  orders:write", 'a"b']) {
      assert.equal((await answer(await send(refresh_token, scope), 400))["error"], "invalid_scope");
    }
    const narrow = await answer(await send(refresh_token, "orders:write"), 200);
    assert.equal(narrow["scope"], "orders:write");
    assert.equal(claimsOf(narrow["access_token"] as string)["scope"], "orders:write");
    const whole = await answer(await send(narrow["refresh_token"], ""), 200);
    assert.equal(whole["scope"], "orders:read orders:write", "the session keeps what it was granted");
    assert.equal((await answer(await send("hfr_x", "admin"), 400))["error"], "invalid_grant");
  });
});

describe("the client_credentials grant", () => {
  test("a service gets a token as in RFC 9068, without session and refresh token", async () => {
    const { issuer } = createFixture({ clients });
    const tokens = await clientToken(issuer);
    assert.deepEqual(Object.keys(tokens).toSorted(), ["access_token", "expires_in", "scope", "token_type"]);
    const { jti, iat, exp, ...claims } = claimsOf(tokens.access_token);
    assert.deepEqual(claims, {
      iss: ISSUER_URL,
      sub: "billing & co",
      aud: "https://api.example.com",
      client_id: "billing & co",
      hf_cutoff: 0,
      scope: "invoices:read invoices:write",
    });
    assert.ok(typeof jti === "string" && jti.length > 20);
    assert.equal(Number(exp) - Number(iat), 600);
    assert.equal((await validateAtIssuer(issuer, tokens.access_token)).valid, true);
    assert.notEqual(claimsOf((await clientToken(issuer)).access_token)["jti"], jti);
  });

  test("scope narrows and never widens; without configured scopes a token has none", async () => {
    const { issuer } = createFixture({ clients });
    assert.equal((await clientToken(issuer, { scope: "invoices:read" })).scope, "invoices:read");
    const form = { grant_type: "client_credentials" };
    const tooMuch: [Form, Form][] = [
      [{ ...billing, scope: "invoices:read admin" }, {}],
      [{ scope: "invoices:read" }, orders],
    ];
    for (const [more, headers] of tooMuch) {
      const body = await answer(await post(issuer, "/oauth/token", { ...form, ...more }, headers), 400);
      assert.equal(body["error"], "invalid_scope");
    }
    assert.equal((await answer(await post(issuer, "/oauth/token", form, orders), 200))["scope"], "");
  });

  test("the token gives no access to sessions of users", async () => {
    const { issuer } = createFixture({ clients });
    const headers = bearerHeader(await clientToken(issuer));
    for (const [method, path] of [
      ["GET", "/auth/sessions"],
      ["POST", "/auth/logout"],
      ["POST", "/auth/logout-all"],
    ] as const) {
      const response = await sendRequest(issuer, method, path, undefined, headers);
      assert.equal((await answer(response, 403))["error"], "insufficient_scope");
    }
  });

  test("law 3: the token is revoked by its jti and by its subject; a later token is valid", async () => {
    const { issuer, clock } = createFixture({ clients });
    const [one, other] = [await clientToken(issuer), await clientToken(issuer)];
    await issuer.revoke({ kind: "token", id: String(claimsOf(one.access_token)["jti"]) });
    assert.equal((await validateAtIssuer(issuer, one.access_token)).reason, "revoked");
    assert.equal((await validateAtIssuer(issuer, other.access_token)).valid, true);
    await issuer.revoke({ kind: "subject", id: "billing & co" });
    assert.equal((await validateAtIssuer(issuer, other.access_token)).reason, "revoked");
    const later = await clientToken(issuer);
    assert.equal((await validateAtIssuer(issuer, later.access_token)).valid, true, "in the same second");
    await clock.advance(607_000);
    assert.equal((await validateAtIssuer(issuer, later.access_token)).reason, "expired");
  });

  test("a user whose subject is the id of a service cannot log in", async () => {
    const { issuer } = createFixture({ clients });
    assert.equal(
      (await issuer.login({ username: "orders", password: "password of orders" })).status,
      "unavailable",
    );
  });
});

describe("introspection (RFC 7662)", () => {
  test("describes an access token by its claims", async () => {
    const { issuer } = createFixture({ clients });
    const tokens = await logIn(issuer);
    const claims = claimsOf(tokens.access_token);
    assert.deepEqual(await introspect(issuer, tokens.access_token), {
      ...claims,
      token_type: "Bearer",
      active: true,
    });
    for (const name of "scope client_id exp iat sub aud iss jti sid".split(" "))
      assert.ok(claims[name], name);
    const own = await introspect(issuer, (await clientToken(issuer)).access_token);
    assert.equal(own["client_id"], "billing & co");
  });

  test("describes a refresh token so that no resource server accepts it as an access token", async () => {
    const { issuer, clock } = createFixture({ clients });
    const { refresh_token, session_id } = await logIn(issuer);
    const exp = Math.floor(clock.now() / 1000) + 30 * 86_400;
    const described = { iss: ISSUER_URL, sub: "ann", sid: session_id, exp, client_id: "holdfast" };
    assert.deepEqual(await introspect(issuer, refresh_token), {
      ...described,
      token_type: "N_A",
      token_use: "refresh_token",
      active: true,
    });
  });

  test("a refresh token is active exactly while a refresh would succeed, and introspection does not spend it", async () => {
    const { issuer, clock } = createFixture({ clients });
    const first = await logIn(issuer);
    const active = async (token: string) => (await introspect(issuer, token))["active"];
    const second = (await refreshed(issuer, first.refresh_token)).refresh_token;
    assert.deepEqual([await active(first.refresh_token), await active(second)], [true, true]);
    const third = (await refreshed(issuer, second)).refresh_token;
    const all = [first.refresh_token, second, third];
    assert.deepEqual(await Promise.all(all.map(active)), [false, true, true]);
    await issuer.acknowledge(third);
    assert.deepEqual(await Promise.all(all.map(active)), [false, false, true]);
    const fourth = (await refreshed(issuer, third)).refresh_token;
    assert.deepEqual(await Promise.all([third, fourth].map(active)), [true, true]);
    await clock.advance(86_400_000);
    assert.deepEqual(await Promise.all([third, fourth].map(active)), [false, true], "lostAnswerMs is over");
    await clock.advance(30 * 86_400_000);
    assert.equal(await active(third), false);
  });

  test("an expired, revoked, ended, foreign or malformed token is inactive, without a reason", async () => {
    const { issuer, clock } = createFixture({ clients });
    const foreign = await logIn(createFixture({ clients, url: "https://other.example.com" }).issuer);
    const [revoked, ended, expired] = [await logIn(issuer), await logIn(issuer), await logIn(issuer)];
    await issuer.revoke({ kind: "token", id: String(claimsOf(revoked.access_token)["jti"]) });
    await issuer.endSession(ended.session_id);
    const silent = [foreign.access_token, revoked.access_token, ended.access_token, ended.refresh_token];
    for (const token of [...silent, "x", "a.b.c", "x".repeat(20_000), `${expired.access_token}x`]) {
      assert.deepEqual(await introspect(issuer, token), { active: false });
    }
    assert.equal((await introspect(issuer, expired.access_token))["active"], true);
    await clock.advance(605_000);
    assert.deepEqual(await introspect(issuer, expired.access_token), { active: false }, "law 2");
  });
});

describe("revocation (RFC 7009)", () => {
  const revoke = async (issuer: Issuer, token: string, headers: Form = {}, more: Form = {}) =>
    await post(issuer, "/oauth/revoke", { token, ...more }, headers);

  test("revoking a refresh token ends its session; revoking an access token ends only that token", async () => {
    const { issuer } = createFixture({ clients });
    const { access_token, refresh_token } = await logIn(issuer);
    const response = await revoke(issuer, access_token, {}, { token_type_hint: "refresh_token" });
    assert.deepEqual([response.status, await response.text()], [200, ""]);
    assert.equal(response.headers.get("Cache-Control"), "no-store");
    assert.equal((await validateAtIssuer(issuer, access_token)).reason, "revoked");
    const next = await refreshed(issuer, refresh_token);
    assert.equal((await revoke(issuer, next.refresh_token, orders)).status, 200);
    assert.equal((await validateAtIssuer(issuer, next.access_token)).reason, "revoked");
    assert.equal((await issuer.refresh(next.refresh_token)).status, "invalid_grant");
  });

  test("an unknown token is 200; an access token is logged once, and not after it has expired", async () => {
    const { issuer, store, clock } = createFixture({ clients });
    const { access_token } = await logIn(issuer);
    const late = await logIn(issuer);
    for (const token of ["x", "hfr_x", access_token, access_token]) {
      assert.equal((await revoke(issuer, token)).status, 200);
    }
    assert.equal((await store.revocations.snapshot()).entries.length, 1);
    await clock.advance(899_999);
    assert.equal((await revoke(issuer, late.access_token)).status, 200);
    assert.equal(
      (await store.revocations.snapshot()).entries.length,
      2,
      "a tolerant guard would take it still",
    );
    await clock.advance(1);
    const over = await logIn(issuer);
    await clock.advance(900_000);
    assert.equal((await revoke(issuer, over.access_token)).status, 200);
    assert.equal((await store.revocations.snapshot()).entries.length, 2);
  });

  test("only the service itself can revoke its token", async () => {
    const { issuer } = createFixture({ clients });
    const { access_token } = await clientToken(issuer);
    for (const headers of [{}, orders]) {
      const body = await answer(await revoke(issuer, access_token, headers), 400);
      assert.equal(body["error"], "unauthorized_client");
    }
    assert.equal((await revoke(issuer, access_token, {}, billing)).status, 200);
    assert.equal((await validateAtIssuer(issuer, access_token)).reason, "revoked");
  });

  test("a client that fails to authenticate revokes nothing", async () => {
    const { issuer } = createFixture({ clients });
    const { access_token } = await logIn(issuer);
    assert.equal((await revoke(issuer, access_token, basic("orders:wrong"))).status, 401);
    assert.equal((await validateAtIssuer(issuer, access_token)).valid, true);
  });
});

test("law 1: without the store every OAuth endpoint answers 503 with Retry-After and spends nothing", async () => {
  const { store, clock } = createFixture();
  let broken = false;
  const { issuer } = createFixture({ clients, clock, store: failStore(store, () => broken && "before") });
  const { access_token, refresh_token } = await logIn(issuer);
  broken = true;
  const requests: [string, Form][] = [
    ["/oauth/token", { grant_type: "refresh_token", refresh_token }],
    ["/oauth/token", { grant_type: "refresh_token", refresh_token, scope: "orders:read" }],
    ["/oauth/token", { grant_type: "client_credentials" }],
    ["/oauth/introspect", { token: access_token }],
    ["/oauth/introspect", { token: refresh_token }],
    ["/oauth/revoke", { token: access_token }],
    ["/oauth/revoke", { token: refresh_token }],
  ];
  for (const [path, form] of requests) {
    const response = await post(issuer, path, form, orders);
    assert.ok(Number(response.headers.get("Retry-After")) >= 1);
    assert.equal((await answer(response, 503))["error"], "temporarily_unavailable");
  }
  broken = false;
  assert.equal((await issuer.refresh(refresh_token)).status, "ok");
});

test("law 12: a revocation with an unknown outcome is not acknowledged", async () => {
  const { store, clock } = createFixture();
  let broken: string | undefined;
  const { issuer } = createFixture({
    clients,
    clock,
    store: failStore(store, (name) => name === broken && "after"),
  });
  const { access_token, refresh_token } = await logIn(issuer);
  broken = "revocations.append";
  assert.equal((await post(issuer, "/oauth/revoke", { token: access_token })).status, 503);
  broken = "sessions.end";
  assert.equal((await post(issuer, "/oauth/revoke", { token: refresh_token })).status, 503);
});

test("rejects wrong clients at creation without showing a secret", () => {
  const secret = "a secret of sixteen";
  const wrong: [object, RegExp][] = [
    [{ id: "a", secret, scope: "x" }, /clients\[0\] has no option "scope"/],
    [{ id: "a", secret: "hunter2" }, /clients\[0\]\.secret must be at least 16 characters/],
    [{ id: "holdfast", secret }, /clients\[0\]\.id must be another name than holdfast/],
    [{ id: "a", secret, scopes: "read" }, /clients\[0\]\.scopes must be an array/],
    [{ id: "a", secret, scopes: ["read write"] }, /clients\[0\]\.scopes must be an array of scopes/],
  ];
  for (const [client, message] of wrong) {
    assert.throws(
      () => createFixture({ clients: [client] as unknown as typeof clients }),
      (error: Error) => message.test(error.message) && !/hunter2|sixteen/.test(error.message),
    );
  }
});

test("the metadata list every endpoint and its authentication methods (RFC 8414)", async () => {
  const { issuer } = createFixture({ clients, url: `${ISSUER_URL}/` });
  const metadata = await (await sendRequest(issuer, "GET", "/.well-known/oauth-authorization-server")).json();
  const secret = ["client_secret_basic", "client_secret_post"];
  assert.deepEqual(metadata, {
    issuer: `${ISSUER_URL}/`,
    jwks_uri: `${ISSUER_URL}/.well-known/jwks.json`,
    token_endpoint: `${ISSUER_URL}/oauth/token`,
    token_endpoint_auth_methods_supported: [...secret, "none"],
    introspection_endpoint: `${ISSUER_URL}/oauth/introspect`,
    introspection_endpoint_auth_methods_supported: secret,
    revocation_endpoint: `${ISSUER_URL}/oauth/revoke`,
    revocation_endpoint_auth_methods_supported: [...secret, "none"],
    response_types_supported: [],
    grant_types_supported: ["refresh_token", "client_credentials"],
    protected_resources: ["https://api.example.com"],
  });
});
