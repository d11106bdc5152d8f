import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { HoldfastError, isHoldfastError } from "../../../src/core/errors.ts";
import type { AuthenticatedUser, IssuerOptions, TokenResponse } from "../../../src/issuer/types.ts";
import { AUTHENTICATE_DEADLINE_MS } from "../../../src/issuer/users/authenticate-calls.ts";
import type { Store } from "../../../src/stores/store.ts";
import type { FakeClock } from "../../../src/testing/fake-clock.ts";
import {
  claimsOf,
  createFixture,
  logIn,
  sendRequest,
  settleOnClock,
  validateAtIssuer,
  type Fixture,
} from "../fixture.ts";
import { failStore, stores, wrapStore } from "../stores.ts";

function withUsers(store: Store, clock: FakeClock, options: Partial<IssuerOptions> = {}): Fixture {
  return createFixture({ store, clock, authenticate: undefined, ...options } as object);
}

async function refreshed(
  issuer: Fixture["issuer"],
  { refresh_token }: TokenResponse,
): Promise<TokenResponse> {
  const outcome = await issuer.refresh(refresh_token);
  assert.ok(outcome.status === "ok", outcome.status);
  return outcome.tokens;
}

const scopeOf = ({ access_token }: TokenResponse) => claimsOf(access_token)["scope"];

for (const [name, open] of stores) {
  describe(`rights at a refresh on ${name}`, () => {
    test("are the current scopes of a user of the store, also for a repeated token", async () => {
      await open(async (store, clock) => {
        const { issuer } = withUsers(store, clock);
        await issuer.users.add({ username: "ann", password: "password of ann", scopes: ["a"] });
        const first = await logIn(issuer);
        await issuer.users.setScopes("ann", ["a", "b"]);
        const second = await refreshed(issuer, first);
        assert.equal(scopeOf(second), "a b");
        await issuer.users.setScopes("ann", ["b"], { sessions: "keep" });
        const again = await refreshed(issuer, first);
        assert.equal(again.refresh_token, second.refresh_token, "the same successor");
        assert.equal(scopeOf(again), "b", "with the current rights");
        const narrowed = async (scope: string) => {
          const form = new URLSearchParams({
            grant_type: "refresh_token",
            refresh_token: again.refresh_token,
            scope,
          });
          const headers = { "Content-Type": "application/x-www-form-urlencoded" };
          return await sendRequest(issuer, "POST", "/oauth/token", form.toString(), headers);
        };
        assert.equal(((await (await narrowed("a")).json()) as { error: string }).error, "invalid_scope");
        assert.equal((await narrowed("b")).status, 200);
      });
    });

    test("a user who is disabled or removed without the end of the sessions loses them at the next refresh", async () => {
      for (const change of ["disable", "remove"] as const) {
        await open(async (store, clock) => {
          // A process of an older version, or another program, leaves the sessions alone.
          const silent = wrapStore(store, async (method, call) =>
            method === "sessions.endAll" ? 0 : await call(),
          );
          const { issuer } = withUsers(store, clock);
          await issuer.users.add({ username: "ann", password: "password of ann" });
          const tokens = await logIn(issuer);
          assert.match(await withUsers(silent, clock).issuer.users[change]("ann"), /d$/);
          assert.equal((await validateAtIssuer(issuer, tokens.access_token)).valid, true);
          assert.equal((await issuer.refresh(tokens.refresh_token)).status, "invalid_grant");
          assert.equal(
            (await validateAtIssuer(issuer, tokens.access_token)).valid,
            false,
            "the end is durable",
          );
          assert.equal((await store.sessions.get(tokens.session_id))?.endReason, "not_renewed");
          const [event] = (await store.audit.recent(10)).filter(({ kind }) => kind === "session_ended");
          assert.equal(event?.detail, "not_renewed");
        });
      }
    });

    test("renew decides about scopes and claims, and null ends the session", async () => {
      await open(async (store, clock) => {
        let answer: AuthenticatedUser | null = {
          subject: "ann",
          scopes: ["chat"],
          claims: { tenant: "two" },
        };
        const seen: unknown[] = [];
        const renew: IssuerOptions["renew"] = (session) => {
          seen.push(session);
          return answer;
        };
        const { issuer } = createFixture({ store, clock, renew });
        const first = await logIn(issuer);
        assert.deepEqual(seen, [], "a login does not ask");
        const second = await refreshed(issuer, first);
        const claims = claimsOf(second.access_token);
        assert.deepEqual([claims["scope"], claims["tenant"], claims["sub"]], ["chat", "two", "ann"]);
        const { session_id: sessionId } = first;
        assert.deepEqual(seen, [
          {
            sessionId,
            subject: "ann",
            scopes: ["orders:read"],
            claims: { tenant: "acme" },
            authAt: (await store.sessions.get(sessionId))?.authAt,
            device: null,
          },
        ]);
        answer = null;
        assert.equal((await issuer.refresh(second.refresh_token)).status, "invalid_grant");
        assert.equal((await validateAtIssuer(issuer, second.access_token)).valid, false);
        answer = { subject: "ann", scopes: ["chat"] };
        assert.equal((await issuer.refresh(second.refresh_token)).status, "invalid_grant");
        assert.equal(seen.length, 2, "an ended session does not ask");
      });
    });

    test("law 1: a renew that throws, hangs or returns another user is 503, and nothing is spent", async () => {
      await open(async (store, clock) => {
        let renew: NonNullable<IssuerOptions["renew"]> = () => null;
        const { issuer } = createFixture({ store, clock, renew: async (...call) => await renew(...call) });
        const tokens = await logIn(issuer);
        const hang: typeof renew = async ({ subject }, { signal }) =>
          await new Promise((_, reject) =>
            signal.addEventListener("abort", () => reject(new Error(subject))),
          );
        const bad: (typeof renew)[] = [
          () => {
            throw new Error("the directory is down");
          },
          hang,
          () => ({ subject: "bob", scopes: [] }),
          () => ({ subject: "ann", scopes: ["two words"] }),
          () => ({ subject: "ann", scopes: [], claims: { exp: 1 } }),
          (() => undefined) as unknown as typeof renew,
        ];
        for (const one of bad) {
          const called = Promise.withResolvers<void>();
          renew = async (...call) => {
            called.resolve();
            return await one(...call);
          };
          const outcome = issuer.refresh(tokens.refresh_token);
          await called.promise;
          if (one === hang) await clock.advance(AUTHENTICATE_DEADLINE_MS);
          assert.equal((await outcome).status, "unavailable");
        }
        const record = await store.sessions.get(tokens.session_id);
        assert.deepEqual([record?.generation, record?.endedAt], [1, null]);
        renew = ({ subject, scopes, claims }) => ({ subject, scopes, claims });
        await refreshed(issuer, tokens);
      });
    });

    test("law 12: a refresh whose session could not be ended is 503", async () => {
      await open(async (store, clock) => {
        let broken = true;
        const faulty = failStore(store, (method) => broken && method === "sessions.end" && "before");
        const { issuer } = createFixture({ store: faulty, clock, renew: () => null });
        const tokens = await logIn(issuer);
        assert.equal((await issuer.refresh(tokens.refresh_token)).status, "unavailable");
        broken = false;
        assert.equal((await issuer.refresh(tokens.refresh_token)).status, "invalid_grant");
      });
    });

    test("law 1: a user record that was tampered with ends no session", async () => {
      await open(async (store, clock) => {
        const { issuer } = withUsers(store, clock);
        await issuer.users.add({ username: "ann", password: "password of ann", scopes: ["a"] });
        const tokens = await logIn(issuer);
        const forged = wrapStore(store, async (method, call) => {
          const user = (await call()) as object | null;
          return method === "users.getBySubject" && user ? { ...user, scopes: ["holdfast:admin"] } : user;
        });
        const outcome = await withUsers(forged, clock).issuer.refresh(tokens.refresh_token);
        assert.equal(outcome.status, "unavailable");
        assert.equal(scopeOf(await refreshed(issuer, tokens)), "a");
      });
    });

    test("a session that the application began keeps its rights, and ends when its user is disabled", async () => {
      await open(async (store, clock) => {
        const { issuer } = withUsers(store, clock);
        const begun = await issuer.beginSession(
          { subject: "passkey user", scopes: ["chat"], claims: { tenant: "one" } },
          { device: "Firefox", source: "192.0.2.7" },
        );
        assert.ok(begun.status === "ok");
        const next = claimsOf((await refreshed(issuer, begun.tokens)).access_token);
        assert.deepEqual([next["sub"], next["scope"], next["tenant"]], ["passkey user", "chat", "one"]);
        const [event] = (await store.audit.recent(10)).filter(({ kind }) => kind === "login");
        assert.deepEqual([event?.subject, event?.source], ["passkey user", "192.0.2.7"]);

        await issuer.users.add({ username: "ann", password: "password of ann", scopes: ["a"] });
        const { subject = "" } = (await issuer.users.get("ann")) ?? {};
        const known = await issuer.beginSession({ subject, scopes: ["b"] });
        assert.ok(known.status === "ok");
        assert.equal(scopeOf(await refreshed(issuer, known.tokens)), "b");
        await issuer.users.disable("ann");
        assert.equal((await validateAtIssuer(issuer, known.tokens.access_token)).valid, false);
        assert.equal(
          (await settleOnClock(clock, issuer.beginSession({ subject, scopes: [] }))).status,
          "denied",
        );
      });
    });
  });
}

test("beginSession refuses what authenticate may not return, and /auth/login never reaches it", async () => {
  const { issuer } = createFixture();
  const bad: unknown[] = [
    null,
    { scopes: [] },
    { subject: "", scopes: [] },
    { subject: "orders", scopes: [] },
    { subject: "ann", scopes: ["two words"] },
    { subject: "ann", scopes: [], claims: { iss: "x" } },
    { subject: "ann", scopes: [], claims: { text: "x".repeat(5000) } },
  ];
  for (const user of bad) {
    await assert.rejects(issuer.beginSession(user as AuthenticatedUser), (error) =>
      isHoldfastError(error, "invalid_option"),
    );
  }
  const body = { subject: "ann", scopes: ["admin"], begun: true };
  assert.equal((await sendRequest(issuer, "POST", "/auth/login", body)).status, 401);
});

test("law 1: beginSession on a store that fails is unavailable", async () => {
  const { issuer: honest, store, clock } = createFixture();
  await honest.ready();
  const faulty = wrapStore(store, async (method, call) => {
    if (method === "sessions.create") throw new HoldfastError("store_unavailable", "the disk failed");
    return await call();
  });
  const { issuer } = createFixture({ store: faulty, clock });
  assert.equal((await issuer.beginSession({ subject: "ann", scopes: [] })).status, "unavailable");
});

for (const [what, isOlder, request] of [
  ["a spent token is reuse also in a request for a scope that the session lacks", false, { scope: "admin" }],
  [
    "a spent token is reuse also in a request for an audience that the session lacks",
    false,
    { resource: "https://other.example.com" },
  ],
  ["a spent token is reuse also while `renew` fails", false, {}],
  ["an older token is reuse also in a request for a scope that the session lacks", true, { scope: "admin" }],
  ["an older token is reuse also while `renew` fails", true, {}],
] as const) {
  test(`law 8, fault 45: ${what}`, async () => {
    let isDown = false;
    const renew: NonNullable<IssuerOptions["renew"]> = ({ subject, scopes }) => {
      if (isDown) throw new Error("down");
      return { subject, scopes };
    };
    const { issuer, clock, store } = createFixture({ renew });
    const first = await logIn(issuer);
    const second = await issuer.refresh(first.refresh_token);
    assert.equal(second.status, "ok");
    const last = await issuer.refresh(second.tokens.refresh_token);
    assert.equal(last.status, "ok");
    await issuer.acknowledge(last.tokens.refresh_token);
    await clock.advance(60_000);
    isDown = Object.keys(request).length === 0;
    const spent = isOlder ? first : second.tokens;
    const form = { grant_type: "refresh_token", refresh_token: spent.refresh_token, ...request };
    const headers = { "Content-Type": "application/x-www-form-urlencoded" };
    const body = new URLSearchParams(form).toString();
    const response = await sendRequest(issuer, "POST", "/oauth/token", body, headers);
    assert.equal(((await response.json()) as { error: string }).error, "invalid_grant");
    const kinds = (await store.audit.recent(100)).map(({ kind }) => kind);
    assert.ok(kinds.includes("refresh_reuse"));
    isDown = false;
    assert.equal((await issuer.refresh(last.tokens.refresh_token)).status, "invalid_grant");
  });
}
