import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TokenResponse } from "../../src/issuer/types.ts";
import {
  bearerHeader,
  sendRequest,
  claimsOf,
  createFixture,
  logIn,
  ISSUER_URL,
  validateAtIssuer,
} from "./fixture.ts";
import { stores } from "./stores.ts";

for (const [name, open] of stores) {
  describe(`a session over HTTP, on ${name}`, () => {
    test("begins with a login and is refreshed, validated, listed and ended", async () => {
      await open(async (store, clock) => {
        const { issuer } = createFixture({ store, clock });
        const login = await sendRequest(
          issuer,
          "POST",
          "/auth/login",
          { username: "ann", password: "password of ann" },
          { "User-Agent": "Tester/1" },
        );
        assert.equal(login.status, 200);
        assert.equal(login.headers.get("Cache-Control"), "no-store");
        const first = (await login.json()) as TokenResponse;
        assert.equal(first.token_type, "Bearer");
        assert.equal(first.expires_in, 600);
        assert.equal(first.refresh_token_expires_in, 30 * 86_400);
        assert.equal(first.scope, "orders:read");
        assert.match(first.refresh_token, /^hfr_[\w-]{112}$/);

        const iat = Math.floor(clock.now() / 1000);
        const { jti, hf_cutoff: cutoff, ...claims } = claimsOf(first.access_token);
        assert.ok(Number.isSafeInteger(cutoff));
        assert.match(String(jti), new RegExp(String.raw`^${first.session_id}\.1\.[\w-]{12}$`));
        assert.deepEqual(claims, {
          tenant: "acme",
          iss: ISSUER_URL,
          sub: "ann",
          aud: "https://api.example.com",
          exp: iat + 600,
          iat,
          client_id: "holdfast",
          scope: "orders:read",
          sid: first.session_id,
          auth_time: iat,
        });

        await clock.advance(60_000);
        const refreshed = await sendRequest(issuer, "POST", "/auth/refresh", {
          refresh_token: first.refresh_token,
        });
        assert.equal(refreshed.status, 200);
        const second = (await refreshed.json()) as TokenResponse;
        assert.equal(second.session_id, first.session_id);
        assert.notEqual(second.refresh_token, first.refresh_token);
        assert.ok(String(claimsOf(second.access_token)["jti"]).startsWith(`${first.session_id}.2.`));
        assert.equal((await validateAtIssuer(issuer, second.access_token)).valid, true);

        const listed = await sendRequest(issuer, "GET", "/auth/sessions", undefined, bearerHeader(second));
        const { sessions } = (await listed.json()) as { sessions: Record<string, unknown>[] };
        assert.deepEqual(
          sessions.map(({ session_id, current, device }) => ({ session_id, current, device })),
          [{ session_id: first.session_id, current: true, device: "Tester/1" }],
        );

        const body = { refresh_token: second.refresh_token };
        assert.equal((await sendRequest(issuer, "POST", "/auth/logout", body)).status, 204);
        assert.equal((await sendRequest(issuer, "POST", "/auth/refresh", body)).status, 400);
        assert.deepEqual(await validateAtIssuer(issuer, second.access_token), {
          valid: false,
          reason: "revoked",
        });
        const gone = await sendRequest(issuer, "GET", "/auth/sessions", undefined, bearerHeader(second));
        assert.equal(gone.status, 401);
        await issuer.close();
      });
    });

    test("logout-all, by access or refresh token, ends every session of the user and no other session", async () => {
      await open(async (store, clock) => {
        const { issuer } = createFixture({ store, clock });
        const phone = await logIn(issuer);
        const laptop = await logIn(issuer);
        const bob = await logIn(issuer, "bob");
        assert.equal(
          (await sendRequest(issuer, "POST", "/auth/logout-all", undefined, bearerHeader(phone))).status,
          204,
        );
        assert.equal((await issuer.refresh(phone.refresh_token)).status, "invalid_grant");
        assert.equal((await issuer.refresh(laptop.refresh_token)).status, "invalid_grant");
        assert.equal((await issuer.refresh(bob.refresh_token)).status, "ok");

        await clock.advance(1);
        const again = await logIn(issuer);
        const other = await logIn(issuer);
        const body = { refresh_token: again.refresh_token };
        assert.equal((await sendRequest(issuer, "POST", "/auth/logout-all", body)).status, 204);
        assert.equal((await issuer.refresh(other.refresh_token)).status, "invalid_grant");
        assert.equal(
          (await sendRequest(issuer, "POST", "/auth/logout-all", body)).status,
          204,
          "the repeated request",
        );

        await clock.advance(1);
        const stolen = await logIn(issuer);
        let tokens = stolen;
        for (let i = 0; i < 2; i++) {
          const renewed = await issuer.refresh(tokens.refresh_token);
          if (renewed.status === "ok") tokens = renewed.tokens;
        }
        const old = { refresh_token: stolen.refresh_token };
        assert.equal((await sendRequest(issuer, "POST", "/auth/logout-all", old)).status, 400, "long spent");
        assert.equal((await issuer.refresh(tokens.refresh_token)).status, "ok");
        await issuer.close();
      });
    });

    test("only the owner can end one session", async () => {
      await open(async (store, clock) => {
        const { issuer } = createFixture({ store, clock });
        const ann = await logIn(issuer);
        const other = await logIn(issuer);
        const bob = await logIn(issuer, "bob");
        const end = async (id: string) =>
          (await sendRequest(issuer, "DELETE", `/auth/sessions/${id}`, undefined, bearerHeader(ann))).status;
        assert.equal(await end(bob.session_id), 404);
        assert.equal(await end("0".repeat(32)), 404);
        assert.equal(await end(other.session_id), 204);
        assert.equal((await issuer.refresh(other.refresh_token)).status, "invalid_grant");
        assert.equal((await issuer.refresh(bob.refresh_token)).status, "ok");
        assert.equal((await issuer.refresh(ann.refresh_token)).status, "ok");
        await issuer.close();
      });
    });
  });
}
