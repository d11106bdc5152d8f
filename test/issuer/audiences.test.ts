import assert from "node:assert/strict";
import { test } from "node:test";
import type { Issuer } from "../../src/issuer/types.ts";
import {
  BASIC,
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
