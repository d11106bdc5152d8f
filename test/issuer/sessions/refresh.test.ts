import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { issuerEvents } from "../../../src/core/event-channels.ts";
import type { IssuerEvent } from "../../../src/core/events.ts";
import { deriveSecrets, type SecretKeys } from "../../../src/issuer/secret-keys.ts";
import { createRefreshToken } from "../../../src/issuer/sessions/refresh-token.ts";
import type { Issuer, RefreshOutcome, TokenResponse } from "../../../src/issuer/types.ts";
import { memoryStore } from "../../../src/stores/memory.ts";
import { FakeClock } from "../../../src/testing/fake-clock.ts";
import {
  sendRequest,
  claimsOf,
  createFixture,
  logIn,
  OTHER_SECRET,
  SECRET,
  validateAtIssuer,
} from "../fixture.ts";
import { failStore, stores, wrapStore } from "../stores.ts";

/** From one second to almost eight hours: most of these clients slept just after a refresh. */
const INCIDENT_WAITS_MS = [1_000, 8_000, 45_000, 240_000, 2_400_000, 7_800_000, 17_000_000, 28_320_000];

async function renewed(issuer: Issuer, tokens: TokenResponse): Promise<TokenResponse> {
  const outcome = await issuer.refresh(tokens.refresh_token);
  if (outcome.status !== "ok") throw new Error(`refresh: ${outcome.status}`);
  return outcome.tokens;
}

function mint(keys: SecretKeys, session: string, generation: number): string {
  const lifetime = { idleMs: 86_400_000, absoluteExpiresAt: Date.UTC(2100, 0, 1) };
  return createRefreshToken(keys, { session, generation }, lifetime, Date.UTC(2020, 0, 1)).text;
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
        const claims = outcomes.map((tokens) => claimsOf(tokens.access_token));
        assert.equal(new Set(claims.map(({ iat, exp }) => JSON.stringify([iat, exp]))).size, 1);
        assert.equal(new Set(claims.map(({ jti }) => jti)).size, 200, "every access token has its own jti");
        assert.equal(await statusOf(issuers[0] as Issuer, outcomes[0] as TokenResponse), "ok");
      });
    });

    test("law 8, fault 63: the eight waits of a public incident log all get the lost response again", async () => {
      await open(async (store, clock) => {
        const { issuer } = createFixture({ store, clock });
        for (const waitMs of INCIDENT_WAITS_MS) {
          const first = await logIn(issuer);
          const lost = await renewed(issuer, first);
          await clock.advance(waitMs);
          const repeated = await renewed(issuer, first);
          assert.equal(repeated.refresh_token, lost.refresh_token, `after ${waitMs} ms`);
          const { iat, exp, jti } = claimsOf(repeated.access_token);
          assert.deepEqual([iat, repeated.expires_in], [Math.floor(clock.now() / 1000), 600]);
          assert.equal(exp, Number(iat) + 600);
          assert.notEqual(jti, claimsOf(lost.access_token)["jti"]);
          assert.equal((await validateAtIssuer(issuer, repeated.access_token)).valid, true);
          assert.equal(await statusOf(issuer, repeated), "ok");
        }
        const kinds = (await store.audit.recent(100)).map(({ kind }) => kind);
        assert.equal(new Set(kinds).size, 1, "only logins");
      });
    });

    test("law 8: after lostAnswerMs a lost response is refused, and nothing is revoked", async () => {
      await open(async (store, clock) => {
        const { issuer } = createFixture({ store, clock, lostAnswerMs: 5000 });
        const first = await logIn(issuer);
        const second = await renewed(issuer, first);
        await clock.advance(5000);
        assert.equal(await statusOf(issuer, first), "invalid_grant");
        assert.equal(await statusOf(issuer, second), "ok");
        assert.deepEqual(
          (await store.audit.recent(100)).map(({ kind }) => kind),
          ["login"],
        );
      });
    });

    test("law 8, fault 45: the first access token that the issuer sees is a sign of arrival", async () => {
      await open(async (store, clock) => {
        const { issuer } = createFixture({ store, clock });
        const first = await logIn(issuer);
        const second = await renewed(issuer, first);
        assert.equal((await validateAtIssuer(issuer, second.access_token)).valid, true);
        // The sign is given beside the request. The next write of the store comes after it.
        await issuer.acknowledge("hfr_");
        await store.prune();
        assert.equal(await statusOf(issuer, first), "refresh_conflict");
        await clock.advance(30_000);
        assert.equal(await statusOf(issuer, first), "invalid_grant");
        assert.equal(await statusOf(issuer, second), "invalid_grant", "the session has ended");
      });
    });

    test("an access token of an earlier generation is no sign of arrival", async () => {
      await open(async (store, clock) => {
        const { issuer } = createFixture({ store, clock });
        const second = await renewed(issuer, await logIn(issuer));
        const third = await renewed(issuer, second);
        for (const tokens of [second, second]) {
          assert.equal((await validateAtIssuer(issuer, tokens.access_token)).valid, true);
        }
        await store.prune();
        assert.equal((await renewed(issuer, second)).refresh_token, third.refresh_token);
      });
    });

    test("law 1, fault 64: an unexpired token of a session that the store does not know is unavailable", async () => {
      await open(async (store, clock) => {
        const { issuer } = createFixture({ store, clock, refreshIdleMs: 86_400_000 });
        await logIn(issuer);
        const [ours] = deriveSecrets(SECRET);
        const lifetime = { idleMs: 86_400_000, absoluteExpiresAt: clock.now() + 1e9 };
        const lost = { session: "ab".repeat(16), generation: 3 };
        const token = createRefreshToken(ours, lost, lifetime, clock.now()).text;
        const events: IssuerEvent[] = [];
        const record = (event: unknown) => void events.push(event as IssuerEvent);
        issuerEvents.subscribe(record);
        for (let i = 0; i < 3; i++) {
          const response = await sendRequest(issuer, "POST", "/auth/refresh", { refresh_token: token });
          assert.deepEqual([response.status, response.headers.get("Retry-After")], [503, "30"]);
        }
        issuerEvents.unsubscribe(record);
        assert.deepEqual(
          events.map(({ event }) => event),
          ["store_rolled_back"],
        );
        const kinds = (await store.audit.recent(100)).map(({ kind }) => kind);
        assert.deepEqual(kinds, ["store_rolled_back", "login"]);
        assert.equal((await store.revocations.snapshot()).entries.length, 0);
        await clock.advance(86_400_000);
        assert.equal((await issuer.refresh(token)).status, "invalid_grant");
      });
    });

    test("law 1: an expired, ended or pruned session stays invalid_grant", async () => {
      await open(async (store, clock) => {
        const { issuer } = createFixture({ store, clock, refreshIdleMs: 86_400_000 });
        const ended = await logIn(issuer);
        await issuer.endSession(ended.session_id, "logout");
        const idle = await logIn(issuer);
        for (let day = 0; day < 4; day++) {
          await store.prune();
          assert.equal(await statusOf(issuer, ended), "invalid_grant", `after ${day} days`);
          await clock.advance(86_400_000);
          if (day > 0) assert.equal(await statusOf(issuer, idle), "invalid_grant", `after ${day} days`);
        }
        assert.equal(await store.sessions.get(idle.session_id), null);
      });
    });

    test("fault 45: just after the successor was used, a refresh is a conflict and revokes nothing", async () => {
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

    test("law 8, fault 45: reuse after the acknowledgement and conflictMs revokes the session and is audited", async () => {
      await open(async (store, clock) => {
        const { issuer } = createFixture({ store, clock });
        const bystander = await logIn(issuer);
        const first = await logIn(issuer);
        const second = await renewed(issuer, first);
        assert.deepEqual(await issuer.acknowledge(second.refresh_token), { status: "ok" });
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

    test("fault 45: refuses forged generations, and only compares the secrets of the store", async () => {
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
          const forged = mint(stranger, first.session_id, generation);
          assert.equal((await other.refresh(forged)).status, "invalid_grant");
        }
        assert.deepEqual(new Set(asked), new Set(["markers.read"]));
        assert.equal(await statusOf(issuer, second), "ok");
      });
    });

    test("law 8, fault 64: a token of a branch that the store has lost changes nothing, and is audited", async () => {
      await open(async (store, clock) => {
        const { issuer } = createFixture({ store, clock });
        const first = await logIn(issuer);
        const [ours] = deriveSecrets(SECRET);
        const second = await renewed(issuer, first);
        for (const generation of [1, 2]) {
          const minted = mint(ours, first.session_id, generation);
          assert.equal((await issuer.refresh(minted)).status, "invalid_grant");
        }
        assert.equal((await store.revocations.snapshot()).entries.length, 0);
        const kinds = (await store.audit.recent(100)).map(({ kind }) => kind);
        assert.deepEqual(kinds, ["refresh_forked", "login"], "at most one event a minute");
        assert.equal(await statusOf(issuer, second), "ok");
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

    test("law 8: audits spent tokens that get their successor again in several generations in a row", async () => {
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
    waitMs: fc.oneof(fc.integer({ min: 0, max: 9_000 }), fc.integer({ min: 0, max: 4 * 3_600_000 })),
    signs: fc.constantFrom("none", "acknowledges", "uses the access token"),
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
      for (const { fate, waitMs, backMs, signs } of steps) {
        // Three lost responses of at most 4 h each fit into a lostAnswerMs of 24 h.
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
        fault = false;
        if (!lost && signs === "acknowledges") await issuer.acknowledge(held.refresh_token);
        if (!lost && signs === "uses the access token") await validateAtIssuer(issuer, held.access_token);
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

test("a refresh whose caller leaves before the store decides spends nothing", async () => {
  const controller = new AbortController();
  const clock = new FakeClock();
  const rotations: unknown[] = [];
  const store = wrapStore(memoryStore({ clock }), async (method, call, args) => {
    if (method === "sessions.rotate") rotations.push(args);
    const answer = await call();
    if (method === "users.getBySubject") controller.abort(new Error("gone"));
    return answer;
  });
  const { issuer } = createFixture({ clock, store, authenticate: undefined } as object);
  await issuer.users.add({ username: "ann", password: "password of ann" });
  const { refresh_token: token } = await logIn(issuer);
  await assert.rejects(issuer.refresh(token, { signal: controller.signal }), /gone/);
  assert.deepEqual(rotations, []);
  assert.equal((await issuer.refresh(token)).status, "ok");
});
