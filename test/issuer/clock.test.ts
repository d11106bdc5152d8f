import assert from "node:assert/strict";
import { test } from "node:test";
import { createGuard } from "../../src/guard/create-guard.ts";
import { jwks } from "../../src/guard/keys/jwks.ts";
import type { Guard } from "../../src/guard/types.ts";
import {
  changingPassword,
  claimsOf,
  createFixture,
  logIn,
  settleOnClock,
  ISSUER_URL,
  validateAtIssuer,
  type Fixture,
} from "./fixture.ts";
import { stores } from "./stores.ts";

const HOUR_MS = 3_600_000;

/** A guard on the same clock that reads keys and revocations from the issuer. */
function guardOf({ issuer, clock }: Pick<Fixture, "issuer" | "clock">): Guard {
  return createGuard({
    issuer: ISSUER_URL,
    audience: "https://api.example.com",
    keys: jwks("http://localhost/.well-known/jwks.json", {
      fetch: async (input, init) => await issuer.fetch(new Request(input, init)),
    }),
    revocations: issuer.revocations,
    clock,
    random: () => 0,
  });
}

for (const [name, open] of stores) {
  test(`law 8: a clock that is set back by an hour ends no session, on ${name}`, async () => {
    await open(async (store, clock) => {
      const { issuer } = createFixture({ store, clock });
      const guard = guardOf({ issuer, clock });
      await guard.ready();
      let tokens = await logIn(issuer);
      const lost = await issuer.refresh(tokens.refresh_token);
      clock.setWall(clock.now() - HOUR_MS);
      for (let i = 0; i < 5; i++) {
        const outcome = await issuer.refresh(tokens.refresh_token);
        assert.ok(outcome.status === "ok", outcome.status);
        tokens = outcome.tokens;
        assert.equal((await validateAtIssuer(issuer, tokens.access_token)).valid, true);
        assert.equal((await guard.validate(tokens.access_token)).status, "valid");
        await clock.advance(20_000);
      }
      assert.equal(lost.status, "ok");
      await guard.close();
      await issuer.close();
    });
  });

  test(`law 3: a revocation made while the clock was an hour behind stays in force when that hour repeats, on ${name}`, async () => {
    await open(async (store, clock) => {
      const { issuer } = createFixture({ store, clock });
      const guard = guardOf({ issuer, clock });
      await guard.ready();
      const [one, other, single] = [
        await logIn(issuer),
        await logIn(issuer, "bob"),
        await logIn(issuer, "cid"),
      ];
      const issuedAt = clock.now();
      clock.setWall(issuedAt - HOUR_MS);
      await issuer.endSession(one.session_id, "logout");
      await issuer.revoke({ kind: "subject", id: "bob" });
      await issuer.revoke({ kind: "token", id: String(claimsOf(single.access_token)["jti"]) });
      while (clock.now() < issuedAt) await clock.advance(10 * 60_000);
      for (const tokens of [one, other, single]) {
        assert.deepEqual(await guard.validate(tokens.access_token), { status: "invalid", reason: "revoked" });
        assert.deepEqual(await validateAtIssuer(issuer, tokens.access_token), {
          valid: false,
          reason: "revoked",
        });
      }
      await guard.close();
      await issuer.close();
    });
  });

  test(`law 3: a login in progress while the clock is set back does not survive the end of the sessions, on ${name}`, async () => {
    await open(async (store, clock) => {
      const { authenticate, changeDuringNextCheck } = changingPassword();
      const { issuer } = createFixture({ store, clock, authenticate });
      await issuer.ready();
      changeDuringNextCheck(async () => {
        clock.setWall(clock.now() - HOUR_MS);
        await issuer.revoke({ kind: "subject", id: "ann" });
      });
      const late = issuer.login({ username: "ann", password: "old" });
      assert.equal((await settleOnClock(clock, late)).status, "denied");
      assert.deepEqual((await store.sessions.listBySubject("ann", { limit: 9 })).sessions, []);
      await issuer.close();
    });
  });

  test(`law 3: a clock that was an hour ahead for a moment makes no revoked token valid, on ${name}`, async () => {
    await open(async (store, clock) => {
      const { issuer } = createFixture({ store, clock });
      const tokens = await logIn(issuer);
      await issuer.revoke({ kind: "token", id: String(claimsOf(tokens.access_token)["jti"]) });
      assert.equal((await validateAtIssuer(issuer, tokens.access_token)).reason, "revoked");
      const now = clock.now();
      clock.setWall(now + HOUR_MS);
      const later = await logIn(issuer, "bob");
      await issuer.revoke({ kind: "token", id: "any" });
      await validateAtIssuer(issuer, later.access_token);
      clock.setWall(now);
      assert.deepEqual(await validateAtIssuer(issuer, tokens.access_token), {
        valid: false,
        reason: "revoked",
      });
      await issuer.close();
    });
  });
}

test("law 2, fault 34: a token that a guard has seen expire after a suspend stays so when the clock goes back", async () => {
  for (const suspendMs of [2 * HOUR_MS, 3 * HOUR_MS]) {
    const { issuer, clock } = createFixture();
    await issuer.ready();
    const guard = guardOf({ issuer, clock });
    await guard.ready();
    const validate = async (token: string) => (await guard.validate(token)).status;
    clock.setWall(clock.now() - 3 * HOUR_MS);
    const old = (await logIn(issuer)).access_token;
    assert.equal(await validate(old), "valid");
    clock.suspend(suspendMs);
    assert.notEqual(await validate(old), "valid");
    await clock.advance(61_000);
    assert.equal(await validate(old), "invalid", `after a suspend of ${suspendMs} ms`);
    clock.setWall(clock.now() - suspendMs);
    assert.notEqual(await validate(old), "valid", "expired before the clock went back");
    assert.equal(await validate((await logIn(issuer)).access_token), "valid");
    await guard.close();
    await issuer.close();
  }
});
