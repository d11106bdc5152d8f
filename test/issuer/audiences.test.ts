import assert from "node:assert/strict";
import { test } from "node:test";
import type { Issuer, TokenResponse } from "../../src/issuer/types.ts";
import {
  BASIC,
  bearerHeader,
  claimsOf,
  createFixture,
  ISSUER_URL,
  logIn,
  sendRequest,
  validateAtIssuer,
} from "./fixture.ts";

const [ordersApi, stockApi] = ["https://orders.example.com", "https://stock.example.com"] as const;
const audience = [ordersApi, stockApi];

/** Posts a form. A list of pairs can repeat a parameter. */
async function postForm(issuer: Issuer, pairs: readonly [string, string][], headers = {}): Promise<Response> {
  const type = { "Content-Type": "application/x-www-form-urlencoded" };
  const body = new URLSearchParams(pairs as [string, string][]).toString();
  return await sendRequest(issuer, "POST", "/oauth/token", body, { ...type, ...headers });
}

const asService = { Authorization: BASIC };
const resources = (...names: string[]) => names.map((name): [string, string] => ["resource", name]);
const ofService: [string, string] = ["grant_type", "client_credentials"];

async function audienceOf(response: Response): Promise<unknown> {
  const body = (await response.json()) as { access_token: string };
  assert.equal(response.status, 200, JSON.stringify(body));
  return claimsOf(body.access_token)["aud"];
}

async function assertInvalidTarget(response: Response): Promise<void> {
  const { error } = (await response.json()) as { error: string };
  assert.deepEqual([response.status, error], [400, "invalid_target"]);
}

test("a token names every audience of the issuer, and one audience as a string", async () => {
  const several = createFixture({ audience });
  assert.deepEqual(claimsOf((await logIn(several.issuer)).access_token)["aud"], audience);
  const one = createFixture({ audience: [ordersApi] });
  assert.equal(claimsOf((await logIn(one.issuer)).access_token)["aud"], ordersApi);
});

test("resource narrows the token of a service, and may be repeated (RFC 8707)", async () => {
  const { issuer } = createFixture({ audience: [...audience, "third"] });
  const ask = async (...names: string[]) =>
    await postForm(issuer, [ofService, ...resources(...names)], asService);
  assert.equal(await audienceOf(await ask(stockApi)), stockApi);
  assert.deepEqual(await audienceOf(await ask(stockApi, ordersApi)), audience);
  assert.equal(await audienceOf(await ask(stockApi, stockApi)), stockApi);
  assert.deepEqual(await audienceOf(await ask("")), [...audience, "third"], "an empty value is left out");
  for (const names of [[`${stockApi}/`], [stockApi, "https://nobody.example.com"], ["nonsense"]]) {
    await assertInvalidTarget(await ask(...names));
  }
});

test("resource is honoured with one audience, too, and another one is invalid_target", async () => {
  const { issuer } = createFixture({ audience: ordersApi });
  assert.equal(
    await audienceOf(await postForm(issuer, [ofService, ...resources(ordersApi)], asService)),
    ordersApi,
  );
  await assertInvalidTarget(await postForm(issuer, [ofService, ...resources(stockApi)], asService));
});

async function tokensOf(response: Response): Promise<TokenResponse> {
  assert.equal(response.status, 200, await response.clone().text());
  return (await response.json()) as TokenResponse;
}

const credentials = { username: "ann", password: "password of ann" };

test("resource at the login narrows the whole session, and at a refresh one access token", async () => {
  const { issuer } = createFixture({ audience: [...audience, "third"] });
  const logInFor = async (resource: unknown) =>
    await sendRequest(issuer, "POST", "/auth/login", { ...credentials, resource });
  const first = await tokensOf(await logInFor(audience));
  assert.deepEqual(claimsOf(first.access_token)["aud"], audience);
  const refresh = async (refresh_token: string, more: object) =>
    await sendRequest(issuer, "POST", "/auth/refresh", { refresh_token, ...more });
  await assertInvalidTarget(await refresh(first.refresh_token, { resource: "third" }));
  const second = await tokensOf(await refresh(first.refresh_token, { resource: stockApi }));
  assert.equal(claimsOf(second.access_token)["aud"], stockApi, "the refused request has spent nothing");
  const third = await tokensOf(await refresh(second.refresh_token, {}));
  assert.deepEqual(
    claimsOf(third.access_token)["aud"],
    audience,
    "a refresh without resource has all of the session",
  );
  const form: [string, string][] = [
    ["grant_type", "refresh_token"],
    ["refresh_token", third.refresh_token],
  ];
  await assertInvalidTarget(await postForm(issuer, [...form, ...resources("third")]));
  await assertInvalidTarget(await postForm(issuer, [...form, ...resources(stockApi, "nonsense")]));
  assert.equal(await audienceOf(await postForm(issuer, [...form, ...resources(ordersApi)])), ordersApi);
});

test("resource of a login must be known and well-formed, and is judged before the credentials", async () => {
  const { issuer } = createFixture({ audience });
  for (const resource of ["https://nobody.example.com", [ordersApi, "x"], ""]) {
    const wrong = { username: "nobody", password: "wrong", resource };
    await assertInvalidTarget(await sendRequest(issuer, "POST", "/auth/login", wrong));
  }
  for (const resource of [1, [1], {}, null]) {
    const response = await sendRequest(issuer, "POST", "/auth/login", { ...credentials, resource });
    const { error } = (await response.json()) as { error: string };
    assert.deepEqual([response.status, error], [400, "invalid_request"]);
  }
  assert.equal((await issuer.login(credentials, { resources: ["x"] })).status, "invalid_target");
  const begun = await issuer.beginSession({ subject: "ann", scopes: [] }, { resources: ["x"] });
  assert.equal(begun.status, "invalid_target");
  const ok = await issuer.login(credentials, { resources: [ordersApi] });
  assert.ok(ok.status === "ok");
  assert.equal(
    (await issuer.refresh(ok.tokens.refresh_token, { resources: [stockApi] })).status,
    "invalid_target",
  );
});

test("an audience that the issuer gives up is no longer in new tokens of earlier sessions", async () => {
  const { issuer, store, clock } = createFixture({ audience });
  const tokens = await logIn(issuer);
  const without = createFixture({ audience: ordersApi, store, clock });
  const outcome = await without.issuer.refresh(tokens.refresh_token);
  assert.ok(outcome.status === "ok");
  assert.equal(claimsOf(outcome.tokens.access_token)["aud"], ordersApi);
});

test("the issuer's own endpoints accept tokens for its first audience, and none for another API only", async () => {
  const { issuer } = createFixture({ audience });
  const list = async (tokens: TokenResponse) =>
    (await sendRequest(issuer, "GET", "/auth/sessions", undefined, bearerHeader(tokens))).status;
  const loggedInFor = async (...names: string[]) => {
    const outcome = await issuer.login(credentials, { resources: names });
    assert.ok(outcome.status === "ok");
    return outcome.tokens;
  };
  const statuses = [await loggedInFor(), await loggedInFor(ordersApi), await loggedInFor(stockApi)].map(list);
  assert.deepEqual(await Promise.all(statuses), [200, 200, 401]);
  const foreign = await loggedInFor(stockApi);
  for (const path of ["/auth/logout", "/auth/logout-all"]) {
    assert.equal((await sendRequest(issuer, "POST", path, {}, bearerHeader(foreign))).status, 401);
  }
});

test("a service may validate and introspect a token of every audience", async () => {
  const { issuer } = createFixture({ audience });
  const narrowed = await postForm(issuer, [ofService, ...resources(stockApi)], asService);
  const { access_token: token } = (await narrowed.json()) as { access_token: string };
  assert.equal((await validateAtIssuer(issuer, token)).valid, true);
});

test("the metadata name the protected resources (RFC 9728)", async () => {
  const { issuer } = createFixture({ audience: [...audience, "not a URL", "http://localhost"] });
  const response = await sendRequest(issuer, "GET", "/.well-known/oauth-authorization-server");
  const metadata = (await response.json()) as Record<string, unknown>;
  assert.equal(metadata["issuer"], ISSUER_URL);
  assert.deepEqual(metadata["protected_resources"], audience);
});

test("an audience that is empty, doubled or too long is refused by name", () => {
  for (const wrong of [
    "",
    [],
    [""],
    [ordersApi, ordersApi],
    [1],
    null,
    {},
    "x".repeat(2049),
    ["x".repeat(1500), "y".repeat(600)],
  ]) {
    assert.throws(() => createFixture({ audience: wrong as string[] }), {
      code: "invalid_option",
      message: /^createIssuer: audience/,
    });
  }
});
