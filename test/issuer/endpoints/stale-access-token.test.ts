import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Issuer } from "../../../src/issuer/types.ts";
import { bearerHeader, createFixture, logIn, sendRequest } from "../fixture.ts";

const isLive = async (issuer: Issuer, refresh_token: string) =>
  (await sendRequest(issuer, "POST", "/auth/refresh", { refresh_token })).status === 200;

const postForm = async (issuer: Issuer, path: string, form: Record<string, string>, authorization: string) =>
  await sendRequest(issuer, "POST", path, new URLSearchParams(form).toString(), {
    "Content-Type": "application/x-www-form-urlencoded",
    Authorization: authorization,
  });

describe("a refresh token in the body counts whatever access token comes along", () => {
  const stale = ["Bearer", "Bearer a b", "Bearer expired", "bearer x, Bearer y", "Bearer hfr_x"];

  for (const authorization of stale) {
    test(`logout, logout-all, refresh, revoke and token endpoint ignore "${authorization}"`, async () => {
      const { issuer } = createFixture();
      const headers = { Authorization: authorization };
      for (const path of ["/auth/logout", "/auth/logout-all"]) {
        const { refresh_token } = await logIn(issuer, `user of ${path}`);
        for (let repeat = 0; repeat < 3; repeat++) {
          const response = await sendRequest(issuer, "POST", path, { refresh_token }, headers);
          assert.equal(response.status, 204, `${path}, call ${repeat}`);
        }
        assert.equal(await isLive(issuer, refresh_token), false);
      }
      const { refresh_token } = await logIn(issuer);
      const refreshed = await sendRequest(issuer, "POST", "/auth/refresh", { refresh_token }, headers);
      assert.equal(refreshed.status, 200);
      const next = ((await refreshed.json()) as { refresh_token: string }).refresh_token;
      const grant = { grant_type: "refresh_token", refresh_token: next };
      assert.equal((await postForm(issuer, "/oauth/token", grant, authorization)).status, 200);
      assert.equal((await postForm(issuer, "/oauth/revoke", { token: next }, authorization)).status, 200);
      assert.equal(await isLive(issuer, next), false);
    });
  }

  test("an expired access token does not prevent a logout by the refresh token", async () => {
    const { issuer, clock } = createFixture();
    const tokens = await logIn(issuer);
    await clock.advance(3_600_000);
    const { refresh_token } = tokens;
    const headers = bearerHeader(tokens);
    assert.equal((await sendRequest(issuer, "POST", "/auth/logout", { refresh_token }, headers)).status, 204);
    assert.equal(await isLive(issuer, refresh_token), false);
  });

  test("credentials of a client behind a bearer token are not ignored", async () => {
    const { issuer } = createFixture();
    const { refresh_token } = await logIn(issuer);
    const response = await postForm(
      issuer,
      "/oauth/revoke",
      { token: refresh_token },
      "Bearer x, Basic eDp5",
    );
    assert.equal(response.status, 401);
    assert.equal(await isLive(issuer, refresh_token), true);
  });

  test("the refresh token of the body decides which session ends", async () => {
    const { issuer } = createFixture();
    const [named, other] = [await logIn(issuer), await logIn(issuer)];
    const { refresh_token } = named;
    await sendRequest(issuer, "POST", "/auth/logout", { refresh_token }, bearerHeader(other));
    assert.equal(await isLive(issuer, refresh_token), false);
    assert.equal(await isLive(issuer, other.refresh_token), true);
  });

  test("an unknown refresh token leaves the decision to a valid access token", async () => {
    for (const body of [{ refresh_token: "unknown" }, {}, "{", undefined]) {
      const { issuer } = createFixture();
      const [own, other] = [await logIn(issuer), await logIn(issuer, "bob")];
      assert.equal((await sendRequest(issuer, "POST", "/auth/logout", body, bearerHeader(own))).status, 204);
      assert.equal(await isLive(issuer, own.refresh_token), false);
      assert.equal(
        (await sendRequest(issuer, "POST", "/auth/logout-all", body, bearerHeader(other))).status,
        204,
      );
      assert.equal(await isLive(issuer, other.refresh_token), false);
    }
  });
});

describe("a repeated logout succeeds", () => {
  for (const path of ["/auth/logout", "/auth/logout-all"]) {
    test(`${path} by an access token is 204 again after its session has ended`, async () => {
      const { issuer } = createFixture();
      const tokens = await logIn(issuer);
      for (let repeat = 0; repeat < 3; repeat++) {
        const response = await sendRequest(issuer, "POST", path, undefined, bearerHeader(tokens));
        assert.equal(response.status, 204);
      }
    });
  }

  test("a logout by a revoked access token of a live session is 401, because nothing ended", async () => {
    const { issuer } = createFixture();
    const tokens = await logIn(issuer);
    const revoked = { token: tokens.access_token };
    assert.equal((await postForm(issuer, "/oauth/revoke", revoked, "Bearer stale")).status, 200);
    const response = await sendRequest(issuer, "POST", "/auth/logout", undefined, bearerHeader(tokens));
    assert.equal(response.status, 401);
    assert.equal(await isLive(issuer, tokens.refresh_token), true);
  });

  test("an access token of a session that was logged out cannot end the others", async () => {
    const { issuer } = createFixture();
    const [own, other] = [await logIn(issuer), await logIn(issuer)];
    await sendRequest(issuer, "POST", "/auth/logout", undefined, bearerHeader(own));
    const response = await sendRequest(issuer, "POST", "/auth/logout-all", undefined, bearerHeader(own));
    assert.equal(response.status, 401);
    assert.equal(await isLive(issuer, other.refresh_token), true);
  });
});

for (const [when, waitMs, status] of [
  ["is refused once it is proven spent", 60_000, 400],
  ["is accepted while a refresh with it is a conflict", 1_000, 204],
] as const) {
  test(`law 8: a logout-all with the previous refresh token ${when}`, async () => {
    const { issuer, clock } = createFixture();
    const other = await logIn(issuer);
    const { refresh_token } = await logIn(issuer);
    const outcome = await issuer.refresh(refresh_token);
    assert.equal(outcome.status, "ok");
    await issuer.acknowledge(outcome.tokens.refresh_token);
    await clock.advance(waitMs);
    const response = await sendRequest(issuer, "POST", "/auth/logout-all", { refresh_token });
    assert.equal(response.status, status);
    assert.equal(await isLive(issuer, other.refresh_token), status === 400);
  });
}

test("a logout-all with the previous refresh token succeeds while its successor is not known to have arrived", async () => {
  const { issuer, clock } = createFixture();
  const { refresh_token } = await logIn(issuer);
  assert.equal((await issuer.refresh(refresh_token)).status, "ok");
  await clock.advance(60_000);
  assert.equal((await sendRequest(issuer, "POST", "/auth/logout-all", { refresh_token })).status, 204);
});
