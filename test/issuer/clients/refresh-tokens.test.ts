import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Issuer, IssuerOptions, TokenResponse } from "../../../src/issuer/types.ts";
import { bearerHeader, BASIC, claimsOf, createFixture, logIn, sendRequest } from "../fixture.ts";
import type { Store } from "../../../src/stores/store.ts";
import type { FakeClock } from "../../../src/testing/fake-clock.ts";
import { stores } from "../stores.ts";

const HOUR_MS = 3_600_000;
const secret = "the secret of the sync";
const sync = { id: "sync", secret, scopes: ["stock:read", "stock:write"] };
const clients: NonNullable<IssuerOptions["clients"]> = [
  { id: "orders", secret: "the secret of orders", scopes: ["stock:read"], accessTokenTtlMs: 120_000 },
  { ...sync, refreshTokens: { idleMs: HOUR_MS, absoluteMs: 24 * HOUR_MS } },
];
const asSync = { Authorization: `Basic ${Buffer.from(`sync:${secret}`).toString("base64")}` };
const asOrders = { Authorization: BASIC };

async function post(
  issuer: Issuer,
  path: string,
  form: Record<string, string>,
  headers = {},
): Promise<Response> {
  const type = { "Content-Type": "application/x-www-form-urlencoded" };
  return await sendRequest(issuer, "POST", path, new URLSearchParams(form).toString(), {
    ...type,
    ...headers,
  });
}

async function tokensFor(issuer: Issuer, form: Record<string, string> = {}): Promise<TokenResponse> {
  const response = await post(issuer, "/oauth/token", { grant_type: "client_credentials", ...form }, asSync);
  assert.equal(response.status, 200, await response.clone().text());
  return (await response.json()) as TokenResponse;
}

async function refresh(
  issuer: Issuer,
  refreshToken: string,
  headers = {},
  form = {},
): Promise<[number, TokenResponse & { error?: string }]> {
  const body = { grant_type: "refresh_token", refresh_token: refreshToken, ...form };
  const response = await post(issuer, "/oauth/token", body, headers);
  return [response.status, (await response.json()) as TokenResponse & { error?: string }];
}

for (const [name, run] of stores) {
  describe(`refresh tokens of services on ${name}`, () => {
    const testOnStore = (
      title: string,
      body: (shared: { store: Store; clock: FakeClock }) => Promise<void>,
    ) => void test(title, async () => await run(async (store, clock) => await body({ store, clock })));

    testOnStore(
      "a service gets a refresh token when its entry says so, with the lifetimes of the entry",
      async (shared) => {
        const { issuer, clock } = createFixture({ clients, ...shared });
        const tokens = await tokensFor(issuer);
        assert.equal(tokens.refresh_token_expires_in, 3600);
        const { sub, client_id, sid, scope, auth_time } = claimsOf(tokens.access_token);
        assert.deepEqual(
          [sub, client_id, sid, scope],
          ["sync", "sync", tokens.session_id, "stock:read stock:write"],
        );
        assert.equal(auth_time, undefined, "a service has not logged in");
        await clock.advance(HOUR_MS / 2);
        const [status, second] = await refresh(issuer, tokens.refresh_token, asSync, { scope: "stock:read" });
        assert.deepEqual([status, second.scope, second.refresh_token_expires_in], [200, "stock:read", 3600]);
        const plain = await post(issuer, "/oauth/token", { grant_type: "client_credentials" }, asOrders);
        const ofOrders = (await plain.json()) as TokenResponse;
        assert.deepEqual([ofOrders.refresh_token, ofOrders.expires_in], [undefined, 120]);
      },
    );

    testOnStore(
      "only the service itself can use its refresh token, and a stranger's attempt spends nothing",
      async (shared) => {
        const { issuer } = createFixture({ clients, ...shared });
        const { refresh_token: token, session_id } = await tokensFor(issuer);
        for (const headers of [{}, asOrders]) {
          const [status, { error }] = await refresh(issuer, token, headers);
          assert.deepEqual([status, error], [400, "invalid_grant"]);
          const narrowed = await refresh(issuer, token, headers, { scope: "stock:read" });
          assert.deepEqual([narrowed[0], narrowed[1].error], [400, "invalid_grant"]);
        }
        const json = await sendRequest(issuer, "POST", "/auth/refresh", { refresh_token: token });
        assert.equal(json.status, 400);
        assert.equal((await issuer.refresh(token)).status, "invalid_grant");
        const introspect = async (headers: object) =>
          (await (await post(issuer, "/oauth/introspect", { token }, headers)).json()) as {
            active: boolean;
            sid?: string;
          };
        assert.deepEqual(
          [(await introspect(asOrders)).active, (await introspect(asSync)).sid],
          [false, session_id],
        );
        assert.equal((await post(issuer, "/oauth/revoke", { token }, asOrders)).status, 200);
        const [status, next] = await refresh(issuer, token, asSync);
        assert.deepEqual([status, next.session_id], [200, session_id], "nothing was spent or revoked");
        assert.equal(
          (await refresh(issuer, token, asSync))[1].refresh_token,
          next.refresh_token,
          "law 8: the same successor",
        );
      },
    );

    testOnStore("law 8: a reused refresh token of a service ends that session only", async (shared) => {
      const { issuer, clock } = createFixture({ clients, ...shared });
      const [first, other] = [await tokensFor(issuer), await tokensFor(issuer)];
      const [, second] = await refresh(issuer, first.refresh_token, asSync);
      await refresh(issuer, second.refresh_token, asSync);
      await clock.advance(60_000);
      assert.equal((await refresh(issuer, first.refresh_token, asSync))[0], 400);
      assert.equal((await refresh(issuer, second.refresh_token, asSync))[0], 400);
      assert.equal((await refresh(issuer, other.refresh_token, asSync))[0], 200);
    });

    testOnStore("the sessions of a service are listed under it and end like any other", async (shared) => {
      const { issuer, clock } = createFixture({ clients, ...shared });
      const [one, two] = [await tokensFor(issuer), await tokensFor(issuer)];
      const response = await sendRequest(issuer, "GET", "/auth/sessions", undefined, bearerHeader(one));
      const { sessions } = (await response.json()) as { sessions: { session_id: string }[] };
      assert.deepEqual(
        new Set(sessions.map(({ session_id }) => session_id)),
        new Set([one.session_id, two.session_id]),
      );
      const logout = await sendRequest(issuer, "POST", "/auth/logout", { refresh_token: one.refresh_token });
      assert.equal(logout.status, 204);
      assert.equal((await refresh(issuer, one.refresh_token, asSync))[0], 400);
      assert.equal((await post(issuer, "/oauth/revoke", { token: two.refresh_token }, asSync)).status, 200);
      assert.equal((await refresh(issuer, two.refresh_token, asSync))[0], 400);
      await issuer.revoke({ kind: "subject", id: "sync" });
      await clock.advance(2000);
      assert.equal((await refresh(issuer, (await tokensFor(issuer)).refresh_token, asSync))[0], 200);
    });

    testOnStore(
      "a service whose entry changes loses its scopes at once, and its refresh tokens with the permission",
      async (shared) => {
        const { issuer } = createFixture({ clients, ...shared });
        const { refresh_token: token } = await tokensFor(issuer);
        const fewer = createFixture({
          ...shared,
          clients: [{ ...sync, scopes: ["stock:read"], refreshTokens: {} }],
        });
        const [status, narrowed] = await refresh(fewer.issuer, token, asSync);
        assert.deepEqual([status, narrowed.scope], [200, "stock:read"]);
        const none = createFixture({ ...shared, clients: [sync] });
        assert.equal((await refresh(none.issuer, narrowed.refresh_token, asSync))[0], 400);
      },
    );

    testOnStore(
      "the public client and every service may still refresh a first-party session",
      async (shared) => {
        const { issuer } = createFixture({ clients, ...shared });
        const { refresh_token: token } = await logIn(issuer);
        const [, second] = await refresh(issuer, token, {}, { client_id: "holdfast" });
        const [, third] = await refresh(issuer, second.refresh_token, asSync);
        assert.equal((await refresh(issuer, third.refresh_token, asOrders))[0], 200);
        assert.equal(claimsOf(third.access_token)["client_id"], "holdfast");
      },
    );
  });
}

test("the lifetimes of a client are checked by name", () => {
  const wrong: [object, RegExp][] = [
    [{ accessTokenTtlMs: 999 }, /clients\[0\]\.accessTokenTtlMs must be a whole number from 1000/],
    [{ refreshTokens: true }, /clients\[0\]\.refreshTokens must be an object/],
    [{ refreshTokens: { idle: 1 } }, /clients\[0\]\.refreshTokens has no option "idle"/],
    [
      { refreshTokens: { idleMs: 2000, absoluteMs: 1000 } },
      /refreshTokens\.absoluteMs must be a whole number from 2000/,
    ],
  ];
  for (const [more, message] of wrong) {
    assert.throws(() => createFixture({ clients: [{ ...sync, ...more }] as never }), {
      code: "invalid_option",
      message,
    });
  }
  assert.throws(() => createFixture({ clients: [{ ...sync, accessTokenTtlMs: 31 * 24 * HOUR_MS }] }), {
    message: /^createIssuer: keyRotationMs must be/,
  });
});
