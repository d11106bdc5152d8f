import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { deriveSecrets } from "../../../src/issuer/secret-keys.ts";
import { createRefreshToken } from "../../../src/issuer/sessions/refresh-token.ts";
import type { Issuer, RefreshOutcome, TokenResponse } from "../../../src/issuer/types.ts";
import {
  sendRequest,
  claimsOf,
  createFixture,
  logIn,
  OTHER_SECRET,
  SECRET,
  validateAtIssuer,
} from "../fixture.ts";
import { failStore, stores } from "../stores.ts";

async function renewed(issuer: Issuer, tokens: TokenResponse): Promise<TokenResponse> {
  const outcome = await issuer.refresh(tokens.refresh_token);
  if (outcome.status !== "ok") throw new Error(`refresh: ${outcome.status}`);
  return outcome.tokens;
}

const statusOf = async (issuer: Issuer, tokens: TokenResponse): Promise<RefreshOutcome["status"]> =>
  (await issuer.refresh(tokens.refresh_token)).status;

for (const [name, open] of stores) {
  describe(`refresh on ${name}`, () => {
    test("law 8, fault 43: 200 parallel refreshes of one token get exactly one successor", async () => {
      await open(async (store, clock) => {
        const issuers = [createFixture({ store, clock }).issuer, createFixture({ store, clock }).issuer];
        const first = await logIn(issuers[0] as Issuer);
        const outcomes = await Promise.all(
          Array.from({ length: 200 }, async (_, i) => await renewed(issuers[i % 2] as Issuer, first)),
        );
        assert.equal(new Set(outcomes.map((tokens) => tokens.refresh_token)).size, 1);
        const claims = outcomes.map((tokens) => JSON.stringify(claimsOf(tokens.access_token)));
        assert.equal(new Set(claims).size, 1, "the same iat, exp and jti");
        assert.equal(await statusOf(issuers[0] as Issuer, outcomes[0] as TokenResponse), "ok");
      });
    });

    test("law 8, fault 45: within grace a repeated refresh gets the lost response again, word for word", async () => {
      await open(async (store, clock) => {
        const { issuer } = createFixture({ store, clock });
        const first = await logIn(issuer);
        const lost = await renewed(issuer, first);
        await clock.advance(29_000);
        const repeated = await renewed(issuer, first);
        assert.equal(repeated.refresh_token, lost.refresh_token);
        assert.deepEqual(claimsOf(repeated.access_token), claimsOf(lost.access_token));
        assert.equal(repeated.expires_in, lost.expires_in - 29);
      });
    });

    test("fault 45: within grace, after the successor was used, a refresh is a conflict and revokes nothing", async () => {
      await open(async (store, clock) => {
        const { issuer } = createFixture({ store, clock });
        const first = await logIn(issuer);
        const third = await renewed(issuer, await renewed(issuer, first));
        const response = await sendRequest(issuer, "POST", "/auth/refresh", {
          refresh_token: first.refresh_token,
        });
        assert.equal(response.status, 409);
        assert.equal(((await response.json()) as { error: string }).error, "refresh_conflict");
        assert.equal(await statusOf(issuer, third), "ok");
      });
    });

    test("law 8, fault 45: reuse after grace revokes the session and is audited", async () => {
      await open(async (store, clock) => {
        const { issuer } = createFixture({ store, clock });
        const bystander = await logIn(issuer);
        const first = await logIn(issuer);
        const second = await renewed(issuer, first);
        await clock.advance(30_000);
        assert.equal(await statusOf(issuer, first), "invalid_grant");
        assert.equal(await statusOf(issuer, second), "invalid_grant");
        assert.equal((await validateAtIssuer(issuer, second.access_token)).valid, false);
        const { entries } = await store.revocations.snapshot();
        assert.deepEqual(
          entries.map(({ revocation: { kind, id } }) => [kind, id]),
          [["session", first.session_id]],
        );
        const reuse = (await store.audit.recent(100)).filter((event) => event.kind === "refresh_reuse");
        assert.deepEqual(
          reuse.map(({ subject, session }) => [subject, session]),
          [["ann", first.session_id]],
        );
        assert.equal(await statusOf(issuer, bystander), "ok", "exactly that session");
      });
    });

    test("fault 45: reuse after several generations revokes the session", async () => {
      await open(async (store, clock) => {
        const { issuer } = createFixture({ store, clock });
        const first = await logIn(issuer);
        let last = first;
        for (let i = 0; i < 3; i++) last = await renewed(issuer, last);
        assert.equal(await statusOf(issuer, first), "invalid_grant");
        assert.equal(await statusOf(issuer, last), "invalid_grant");
      });
    });

    test("fault 45: refuses a forged generation without a call to the store", async () => {
      await open(async (store, clock) => {
        const { issuer } = createFixture({ store, clock });
        const first = await logIn(issuer);
        const second = await renewed(issuer, first);
        await clock.advance(60_000);
        const [stranger] = deriveSecrets(OTHER_SECRET);
        const asked: string[] = [];
        const watched = failStore(store, (method) => (asked.push(method), false));
        const { issuer: other } = createFixture({ store: watched, clock });
        await other.ready();
        asked.length = 0;
        for (const generation of [0, 1, 2, 3]) {
          const forged = createRefreshToken(stranger, first.session_id, generation).text;
          assert.equal((await other.refresh(forged)).status, "invalid_grant");
        }
        assert.deepEqual(asked, []);
        assert.equal(await statusOf(issuer, second), "ok");
      });
    });

    test("law 8: a token with a valid MAC that the session never had changes nothing", async () => {
      await open(async (store, clock) => {
        const { issuer } = createFixture({ store, clock });
        const first = await logIn(issuer);
        const [ours] = deriveSecrets(SECRET);
        for (const generation of [1, 2, 9]) {
          const minted = createRefreshToken(ours, first.session_id, generation).text;
          assert.equal((await issuer.refresh(minted)).status, "invalid_grant");
        }
        assert.equal(await statusOf(issuer, first), "ok");
      });
    });

    test("fault 46: a logout during refreshes leaves no working token", async () => {
      await open(async (store, clock) => {
        const { issuer } = createFixture({ store, clock });
        const first = await logIn(issuer);
        const inFlight = Array.from({ length: 10 }, async (_, i) => {
          if (i === 5) await issuer.endSession(first.session_id, "logout");
          return await issuer.refresh(first.refresh_token);
        });
        const answered = (await Promise.all(inFlight)).flatMap((one) =>
          one.status === "ok" ? [one.tokens] : [],
        );
        for (const tokens of [first, ...answered]) {
          assert.equal(await statusOf(issuer, tokens), "invalid_grant");
          assert.equal((await validateAtIssuer(issuer, tokens.access_token)).valid, false);
        }
      });
    });

    test("reuse after logout is refused without an audit event", async () => {
      await open(async (store, clock) => {
        const { issuer } = createFixture({ store, clock });
        const first = await logIn(issuer);
        const second = await renewed(issuer, first);
        await issuer.endSession(first.session_id, "logout");
        await clock.advance(60_000);
        assert.equal(await statusOf(issuer, first), "invalid_grant");
        assert.equal(await statusOf(issuer, second), "invalid_grant");
        const kinds = (await store.audit.recent(100)).map((event) => event.kind);
        assert.ok(!kinds.includes("refresh_reuse"));
      });
    });

    test("law 2: no access token outlives its session, and an idle or expired session cannot be refreshed", async () => {
      await open(async (store, clock) => {
        const life = { refreshIdleMs: 1_000_000, refreshAbsoluteMs: 1_500_000 };
        const { issuer } = createFixture({ store, clock, ...life });
        const idle = await logIn(issuer);
        const first = await logIn(issuer);
        const absolute = Math.floor(clock.now() / 1000) + 1500;
        await clock.advance(950_000);
        const second = await renewed(issuer, first);
        await clock.advance(500_000);
        assert.equal(await statusOf(issuer, idle), "invalid_grant");
        const third = await renewed(issuer, second);
        assert.equal(claimsOf(third.access_token)["exp"], absolute);
        assert.equal(third.expires_in, 50);
        assert.equal(third.refresh_token_expires_in, 50);
        await clock.advance(50_000);
        assert.equal(await statusOf(issuer, third), "invalid_grant");
        await clock.advance(5_000);
        assert.equal((await validateAtIssuer(issuer, third.access_token)).reason, "expired");
      });
    });

    test("audits spent tokens that are presented again within grace in several generations in a row", async () => {
      await open(async (store, clock) => {
        const { issuer } = createFixture({ store, clock });
        let tokens = await logIn(issuer);
        const streaks = [];
        for (let generation = 0; generation < 5; generation++) {
          const next = await renewed(issuer, tokens);
          await renewed(issuer, tokens);
          await renewed(issuer, tokens);
          tokens = next;
        }
        for (const { kind, detail } of await store.audit.recent(100)) {
          if (kind === "refresh_shadowed") streaks.unshift(detail);
        }
        assert.deepEqual(streaks, ["streak 3", "streak 4"]);
      });
    });
  });
}

test("law 8, fault 44: an honest client that loses responses and repeats requests is never logged out", async () => {
  /** The fate of one request, and how long the client waits before the next one. */
  const step = fc.record({
    fate: fc.constantFrom(
      "answered",
      "lost",
      "lost before the store",
      "lost after the store",
      "twice at once",
    ),
    waitMs: fc.integer({ min: 0, max: 9_000 }),
    /** How far the clock is set back before the next request. */
    backMs: fc.constantFrom(0, 0, 0, 20_000, 3_600_000),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
      let fault: "before" | "after" | false = false;
      const { clock, store } = createFixture();
      const faulty = failStore(store, (method) => method === "sessions.rotate" && fault);
      const { issuer } = createFixture({ clock, store: faulty });
      let held = await logIn(issuer);
      let lostInARow = 0;
      for (const { fate, waitMs, backMs } of steps) {
        // Three lost responses of at most 9 s each fit into a grace of 30 s.
        const lost = fate !== "answered" && fate !== "twice at once" && lostInARow < 3;
        fault =
          lost && fate.startsWith("lost before")
            ? "before"
            : lost && fate.startsWith("lost after")
              ? "after"
              : false;
        const requests = fate === "twice at once" ? 2 : 1;
        const outcomes = await Promise.all(
          Array.from({ length: requests }, async () => await issuer.refresh(held.refresh_token)),
        );
        for (const outcome of outcomes) {
          if (outcome.status === "ok" && !lost) held = outcome.tokens;
          else assert.equal(outcome.status, fault === false ? "ok" : "unavailable");
        }
        lostInARow = lost ? lostInARow + 1 : 0;
        await clock.advance(waitMs);
        clock.setWall(clock.now() - backMs);
      }
      fault = false;
      assert.equal(await statusOf(issuer, held), "ok");
      await issuer.close();
    }),
    { numRuns: 60 },
  );
});
