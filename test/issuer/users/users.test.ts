import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Issuer, TokenResponse } from "../../../src/issuer/types.ts";
import type { Store } from "../../../src/stores/store.ts";
import type { FakeClock } from "../../../src/testing/fake-clock.ts";
import {
  bearerHeader,
  sendRequest,
  claimsOf,
  createFixture,
  ISSUER_URL,
  settleOnClock,
  validateAtIssuer,
  type Fixture,
} from "../fixture.ts";
import { failStore, stores, wrapStore } from "../stores.ts";

/** An issuer that checks the passwords of this store. */
function withUsers(store: Store, clock: FakeClock): Fixture {
  return createFixture({ store, clock, authenticate: undefined } as object);
}

async function tokensOf(issuer: Issuer, password: string): Promise<TokenResponse> {
  const outcome = await issuer.login({ username: "ann", password });
  if (outcome.status !== "ok") throw new Error(`login: ${outcome.status}`);
  return outcome.tokens;
}

for (const [name, open] of stores) {
  describe(`users on ${name}`, () => {
    test("are added once per normalized name and listed without their hashes", async () => {
      await open(async (store, clock) => {
        const { issuer } = withUsers(store, clock);
        const { users } = issuer;
        const ann = { username: "ann", password: "password of ann", scopes: ["orders:read"] };
        assert.equal(await users.add(ann, { onlyFirst: true }), "added");
        assert.equal(await users.add(ann), "exists");
        assert.equal(await users.add({ ...ann, username: "bob" }, { onlyFirst: true }), "exists");
        // Full-width letters normalize to the same name (NFKC).
        assert.equal(await users.add({ ...ann, username: "ａｎｎ" }), "exists");
        assert.equal((await issuer.login({ ...ann, username: "ａｎｎ" })).status, "ok");
        const [listed, ...others] = await users.list();
        assert.deepEqual(others, []);
        assert.deepEqual(Object.keys(listed ?? {}).toSorted(), [
          "createdAt",
          "disabledAt",
          "scopes",
          "subject",
          "username",
        ]);
        assert.match(listed?.subject ?? "", /^[0-9a-f-]{36}$/);
      });
    });

    test("fault 47: a password change ends every session, begins a new one and invalidates the old password", async () => {
      await open(async (store, clock) => {
        const { issuer } = withUsers(store, clock);
        await issuer.users.add({ username: "ann", password: "old password" });
        const here = await tokensOf(issuer, "old password");
        const there = await tokensOf(issuer, "old password");
        const body = { current_password: "old password", new_password: "new password" };
        const wrong = { ...body, current_password: "wrong" };
        const refused = await sendRequest(issuer, "POST", "/auth/password", wrong, bearerHeader(here));
        assert.equal(refused.status, 401);
        assert.equal(((await refused.json()) as { error: string }).error, "invalid_credentials");

        const changing = sendRequest(issuer, "POST", "/auth/password", body, bearerHeader(here));
        const inFlight = issuer.refresh(there.refresh_token);
        const changed = await settleOnClock(clock, changing);
        assert.equal(changed.status, 200);
        const fresh = (await changed.json()) as TokenResponse;
        assert.equal((await validateAtIssuer(issuer, fresh.access_token)).valid, true);
        assert.equal((await issuer.refresh(fresh.refresh_token)).status, "ok");

        const during = await inFlight;
        const old = [here, there, ...(during.status === "ok" ? [during.tokens] : [])];
        for (const tokens of old) {
          assert.equal((await issuer.refresh(tokens.refresh_token)).status, "invalid_grant");
          assert.equal((await validateAtIssuer(issuer, tokens.access_token)).valid, false);
        }
        assert.equal((await issuer.login({ username: "ann", password: "old password" })).status, "denied");
        assert.equal((await issuer.login({ username: "ann", password: "new password" })).status, "ok");
      });
    });

    test("a user's own password change is an audit event with the subject and the source", async () => {
      await open(async (store, clock) => {
        const { issuer } = withUsers(store, clock);
        await issuer.users.add({ username: "ann", password: "old password" });
        const tokens = await tokensOf(issuer, "old password");
        const request = new Request(`${ISSUER_URL}/auth/password`, {
          method: "POST",
          headers: { "Content-Type": "application/json", ...bearerHeader(tokens) },
          body: JSON.stringify({ current_password: "old password", new_password: "new password" }),
        });
        const changing = issuer.fetch(request, { source: "192.0.2.7" });
        assert.equal((await settleOnClock(clock, changing)).status, 200);
        const { subject } = (await issuer.users.get("ann")) ?? {};
        const events = (await store.audit.recent(20)).toReversed();
        assert.deepEqual(
          events.slice(-2).map((event) => [event.kind, event.subject, event.source]),
          [
            ["password_changed", subject, "192.0.2.7"],
            ["login", subject, "192.0.2.7"],
          ],
        );
      });
    });

    test("a password change keeps the audiences, the lifetimes and the device name of the session", async () => {
      await open(async (store, clock) => {
        const audience = ["https://api.example.com", "https://other.example.com"];
        const { issuer } = createFixture({ store, clock, authenticate: undefined, audience } as object);
        await issuer.users.add({ username: "ann", password: "password 0" });
        const [resource] = audience;
        const wishes = [
          { remember: false, device_name: "kiosk", resource },
          { remember: false },
          { device_name: "desk" },
        ];
        for (const [index, wish] of wishes.entries()) {
          const password = `password ${index}`;
          const login = await sendRequest(issuer, "POST", "/auth/login", {
            username: "ann",
            password,
            ...wish,
          });
          const before = (await login.json()) as TokenResponse;
          const body = { current_password: password, new_password: `password ${index + 1}` };
          const changing = sendRequest(issuer, "POST", "/auth/password", body, bearerHeader(before));
          const after = (await (await settleOnClock(clock, changing)).json()) as TokenResponse;
          assert.deepEqual(claimsOf(after.access_token)["aud"], claimsOf(before.access_token)["aud"]);
          const [old, fresh] = await Promise.all(
            [before, after].map(async ({ session_id }) => await store.sessions.get(session_id)),
          );
          assert.ok(old && fresh);
          assert.equal(fresh.idleMs, old.idleMs);
          assert.equal(fresh.absoluteExpiresAt - fresh.authAt, old.absoluteExpiresAt - old.authAt);
          const nameOf = ({ facts }: { facts: string }) =>
            (JSON.parse(facts) as { deviceName: string | null }).deviceName;
          assert.equal(nameOf(fresh), nameOf(old));
        }
      });
    });

    test("fault 47: a login in progress with the old password does not survive the change", async () => {
      await open(async (store, clock) => {
        const { issuer } = withUsers(store, clock);
        await issuer.users.add({ username: "ann", password: "old password" });
        const login = issuer.login({ username: "ann", password: "old password" });
        const change = issuer.users.setPassword("ann", "new password");
        const [outcome] = await settleOnClock(clock, Promise.all([login, change]));
        if (outcome.status === "ok") {
          assert.equal((await issuer.refresh(outcome.tokens.refresh_token)).status, "invalid_grant");
        } else assert.equal(outcome.status, "denied");
        assert.equal((await issuer.login({ username: "ann", password: "old password" })).status, "denied");
      });
    });

    test("fault 47: the earlier of two password changes at once yields no session", async () => {
      await open(async (store, clock) => {
        let changeAgain: (() => Promise<unknown>) | null = null;
        const interrupted = wrapStore(store, async (method, work) => {
          const answer = await work();
          // The sessions are ended. The other change happens before the session of the first change begins.
          if (method === "sessions.endAll") {
            const change = changeAgain;
            changeAgain = null;
            await change?.();
          }
          return answer;
        });
        const { issuer } = withUsers(interrupted, clock);
        const { issuer: other } = withUsers(store, clock);
        await issuer.users.add({ username: "ann", password: "old password" });
        const thief = await tokensOf(issuer, "old password");
        changeAgain = async () => await other.users.setPassword("ann", "password of ann");
        const body = { current_password: "old password", new_password: "password of a thief" };
        const changed = await settleOnClock(
          clock,
          sendRequest(issuer, "POST", "/auth/password", body, bearerHeader(thief)),
        );
        assert.equal(changed.status, 401);
        assert.equal(((await changed.json()) as { error: string }).error, "invalid_credentials");
        const { sub } = claimsOf(thief.access_token) as { sub: string };
        assert.deepEqual((await store.sessions.listBySubject(sub, { limit: 10 })).sessions, []);
        await tokensOf(issuer, "password of ann");
      });
    });

    test("law 5: a record that is tampered with during its password change yields no session of another user", async () => {
      await open(async (store, clock) => {
        const forged = wrapStore(store, async (method, work) => {
          const answer = (await work()) as object | null;
          if (method !== "users.get" || answer === null) return answer;
          return { ...answer, subject: "admin", scopes: ["holdfast:admin"] };
        });
        const { issuer } = withUsers(store, clock);
        await issuer.users.add({ username: "ann", password: "old password" });
        const here = await tokensOf(issuer, "old password");
        const { issuer: victim } = withUsers(forged, clock);
        const body = { current_password: "old password", new_password: "new password" };
        const changed = await settleOnClock(
          clock,
          sendRequest(victim, "POST", "/auth/password", body, bearerHeader(here)),
        );
        const fresh = claimsOf(((await changed.json()) as TokenResponse).access_token);
        const { sub } = claimsOf(here.access_token) as { sub: string };
        assert.deepEqual([fresh["sub"], fresh["scope"]], [sub, ""]);
      });
    });

    test("law 12: a password change whose sessions could not be ended answers 503, and repeating it completes it", async () => {
      await open(async (store, clock) => {
        let broken = false;
        const faulty = failStore(store, (method) => broken && method === "sessions.endAll" && "before");
        const { issuer } = withUsers(faulty, clock);
        await issuer.users.add({ username: "ann", password: "old password" });
        const here = await tokensOf(issuer, "old password");
        const there = await tokensOf(issuer, "old password");
        const body = { current_password: "old password", new_password: "new password" };
        broken = true;
        const first = await sendRequest(issuer, "POST", "/auth/password", body, bearerHeader(here));
        assert.equal(first.status, 503);
        broken = false;
        const again = await settleOnClock(
          clock,
          sendRequest(issuer, "POST", "/auth/password", body, bearerHeader(here)),
        );
        assert.equal(again.status, 200);
        assert.equal((await issuer.refresh(there.refresh_token)).status, "invalid_grant");
      });
    });
  });
}

test("rejects malformed names and passwords without showing the password", async () => {
  const { issuer } = createFixture();
  for (const username of ["", "x".repeat(129), "a\u0000b", "a\nb", " ", "a\u202Eb"]) {
    await assert.rejects(
      issuer.users.add({ username, password: "long enough" }),
      /^HoldfastError: username must be/,
    );
  }
  for (const password of ["short", "x".repeat(1025), "é".repeat(513)]) {
    await assert.rejects(issuer.users.add({ username: "ann", password }), (error: Error) => {
      const bytes = Buffer.byteLength(password);
      assert.equal(error.message, `password must be from 8 to 1024 bytes; got ${bytes} bytes`);
      return !error.message.includes(password);
    });
  }
  await assert.rejects(
    issuer.users.add({ username: "ann", password: "long enough", scopes: ["two words"] }),
    /^HoldfastError: scopes must be/,
  );
  assert.equal(await issuer.users.setPassword("nobody", "long enough"), "unknown");
});

test("the password endpoint does not exist when the application checks credentials", async () => {
  const { issuer } = createFixture();
  assert.equal((await sendRequest(issuer, "POST", "/auth/password", {})).status, 404);
});
