import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createGuard } from "../../../src/guard/create-guard.ts";
import { jwks } from "../../../src/guard/keys/jwks.ts";
import type { Issuer, TokenResponse } from "../../../src/issuer/types.ts";
import type { Store } from "../../../src/stores/store.ts";
import type { FakeClock } from "../../../src/testing/fake-clock.ts";
import { claimsOf, createFixture, ISSUER_URL, settleOnClock, validateAtIssuer } from "../fixture.ts";
import { failStore, stores, wrapStore } from "../stores.ts";

function openIssuer(store: Store, clock: FakeClock): Issuer {
  return createFixture({ store, clock, authenticate: undefined } as object).issuer;
}

async function addUser(issuer: Issuer, username: string, scopes: string[] = []): Promise<void> {
  assert.equal(await issuer.users.add({ username, password: `password of ${username}`, scopes }), "added");
}

async function logIn(issuer: Issuer, username: string): Promise<TokenResponse | string> {
  const outcome = await issuer.login({ username, password: `password of ${username}` });
  return outcome.status === "ok" ? outcome.tokens : outcome.status;
}

async function tokensOf(issuer: Issuer, clock: FakeClock, username: string): Promise<TokenResponse> {
  const tokens = await settleOnClock(clock, logIn(issuer, username));
  assert.ok(typeof tokens === "object", "the login succeeds");
  return tokens;
}

async function isOver(issuer: Issuer, { access_token, refresh_token }: TokenResponse): Promise<boolean> {
  const { valid } = await validateAtIssuer(issuer, access_token);
  const { status } = await issuer.refresh(refresh_token);
  assert.equal(valid, status === "ok", "access and refresh token agree");
  return !valid;
}

const admin = "holdfast:admin";

for (const [name, open] of stores) {
  describe(`administration of users on ${name}`, () => {
    test("law 3: a disabled user has no session and cannot log in, and enabling resurrects nothing", async () => {
      await open(async (store, clock) => {
        const issuer = openIssuer(store, clock);
        await addUser(issuer, "ann");
        const before = await tokensOf(issuer, clock, "ann");
        assert.equal(await issuer.users.disable("Ann"), "disabled");
        assert.ok(await isOver(issuer, before));
        assert.equal(await logIn(issuer, "ann"), "denied");
        const disabledAt = await store.now();
        assert.equal((await issuer.users.get("ann"))?.disabledAt, disabledAt);
        await clock.advance(1_000);
        assert.equal(await issuer.users.disable("ann"), "disabled", "a repetition succeeds");
        assert.equal((await issuer.users.get("ann"))?.disabledAt, disabledAt);
        assert.equal(await issuer.users.enable("ann"), "enabled");
        assert.ok(await isOver(issuer, before));
        await tokensOf(issuer, clock, "ann");
        for (const unknown of [issuer.users.disable("bob"), issuer.users.enable("bob")]) {
          assert.equal(await unknown, "unknown");
        }
      });
    });

    test("a removed user is gone, and a new user of the name has another subject", async () => {
      await open(async (store, clock) => {
        const issuer = openIssuer(store, clock);
        await addUser(issuer, "ann");
        const before = await tokensOf(issuer, clock, "ann");
        const { subject } = (await issuer.users.get("ann")) ?? {};
        assert.equal(await issuer.users.remove("ANN"), "removed");
        assert.equal(await issuer.users.remove("ann"), "unknown");
        assert.equal(await issuer.users.get("ann"), null);
        assert.ok(await isOver(issuer, before));
        assert.equal(await logIn(issuer, "ann"), "denied");
        await addUser(issuer, "ann");
        assert.notEqual((await issuer.users.get("ann"))?.subject, subject);
        assert.ok(await isOver(issuer, before));
      });
    });

    test("a lost scope ends the sessions, unless they are kept; a new scope ends none", async () => {
      await open(async (store, clock) => {
        const issuer = openIssuer(store, clock);
        await addUser(issuer, "ann", ["a"]);
        const first = await tokensOf(issuer, clock, "ann");
        assert.equal(await issuer.users.setScopes("ann", ["a", "b", "a"]), "changed");
        assert.deepEqual((await issuer.users.get("ann"))?.scopes, ["a", "b"]);
        assert.equal((await validateAtIssuer(issuer, first.access_token)).valid, true);
        assert.equal(await issuer.users.setScopes("ann", ["a"], { sessions: "keep" }), "changed");
        assert.equal((await validateAtIssuer(issuer, first.access_token)).valid, true);
        assert.equal(await issuer.users.setScopes("ann", ["b"]), "changed");
        assert.ok(await isOver(issuer, first));
        assert.equal(claimsOf((await tokensOf(issuer, clock, "ann")).access_token)["scope"], "b");
        await assert.rejects(issuer.users.setScopes("ann", ["two words"]), /scopes must be/);
        assert.equal(await issuer.users.setScopes("bob", []), "unknown");
      });
    });

    test("the last administrator is not disabled, removed or demoted, unless that is forced", async () => {
      await open(async (store, clock) => {
        const issuer = openIssuer(store, clock);
        await addUser(issuer, "root", [admin]);
        await addUser(issuer, "ann");
        await addUser(issuer, "former", [admin]);
        assert.equal(await issuer.users.disable("former"), "disabled");
        const session = await tokensOf(issuer, clock, "root");
        assert.equal(await issuer.users.disable("root"), "last_administrator");
        assert.equal(await issuer.users.remove("root"), "last_administrator");
        assert.equal(await issuer.users.setScopes("root", ["other"]), "last_administrator");
        assert.equal((await validateAtIssuer(issuer, session.access_token)).valid, true);
        assert.equal(await issuer.users.setPassword("root", "password of root"), "changed");
        assert.equal(await issuer.users.enable("former"), "enabled");
        assert.equal(await issuer.users.setScopes("root", []), "changed");
        assert.equal(await issuer.users.remove("former", { force: true }), "removed");
      });
    });

    test("two administrators who demote each other at the same time do not both lose the scope", async () => {
      await open(async (store, clock) => {
        const both = Promise.withResolvers<void>();
        let waiting = 0;
        // Both changes are decided before either is written.
        const slow = wrapStore(store, async (method, call) => {
          if (method === "users.replace" && waiting < 2) {
            if (++waiting === 2) both.resolve();
            await both.promise;
          }
          return await call();
        });
        const issuer = openIssuer(slow, clock);
        await addUser(issuer, "root", [admin]);
        await addUser(issuer, "ann", [admin]);
        const outcomes = await Promise.all([
          issuer.users.setScopes("root", []),
          issuer.users.setScopes("ann", []),
        ]);
        assert.ok(outcomes.includes("last_administrator"), outcomes.join());
        const left = (await issuer.users.list()).filter(({ scopes }) => scopes.includes(admin));
        assert.ok(left.length > 0);
      });
    });

    test("an administrator keeps the scope although the record changes before the issuer takes the change back", async () => {
      await open(async (store, clock) => {
        const other = openIssuer(store, clock);
        let lists = 0;
        // Between the change and the second look, another process demotes the other administrator and changes the record.
        const slow = wrapStore(store, async (method, call) => {
          if (method === "users.list" && ++lists === 2) {
            await other.users.setScopes("ann", [], { force: true });
            await other.users.setPassword("root", "another password");
          }
          return await call();
        });
        await addUser(other, "root", [admin]);
        await addUser(other, "ann", [admin]);
        const issuer = openIssuer(slow, clock);
        await issuer.ready();
        lists = 0;
        assert.equal(await issuer.users.setScopes("root", []), "last_administrator");
        assert.deepEqual((await issuer.users.get("root"))?.scopes, [admin]);
        const login = await issuer.login({ username: "root", password: "another password" });
        assert.equal(login.status, "ok");
      });
    });

    test("law 12: a change whose sessions could not be ended is not acknowledged, and a repetition completes it", async () => {
      await open(async (store, clock) => {
        let broken = false;
        const issuer = openIssuer(
          failStore(store, (method) => broken && method === "sessions.endAll" && "before"),
          clock,
        );
        const actions: ((users: Issuer["users"]) => Promise<string>)[] = [
          async (users) => await users.disable("ann"),
          async (users) => await users.remove("ann"),
        ];
        for (const action of actions) {
          await addUser(issuer, "ann");
          const tokens = await tokensOf(issuer, clock, "ann");
          broken = true;
          await assert.rejects(action(issuer.users), /HoldfastError/);
          assert.equal(await logIn(issuer, "ann"), "denied");
          broken = false;
          await action(issuer.users);
          assert.ok(await isOver(issuer, tokens));
          await issuer.users.remove("ann");
        }
      });
    });

    test("law 12: any later change of the user ends the sessions which a failed loss of rights has left", async () => {
      await open(async (store, clock) => {
        let failing = "";
        const issuer = openIssuer(
          failStore(
            store,
            (method) => method === failing && (method === "users.replace" ? "after" : "before"),
          ),
          clock,
        );
        const repetitions: ((users: Issuer["users"]) => Promise<string>)[] = [
          async (users) => await users.setScopes("ann", ["a"]),
          async (users) => await users.setScopes("ann", ["a", "new"]),
          async (users) => await users.setScopes("ann", ["a", admin]),
          async (users) => await users.enable("ann"),
        ];
        await addUser(issuer, "root", [admin]);
        for (const method of ["sessions.endAll", "users.replace"]) {
          for (const repeat of repetitions) {
            await addUser(issuer, "ann", ["a", admin]);
            const tokens = await tokensOf(issuer, clock, "ann");
            failing = method;
            await assert.rejects(issuer.users.setScopes("ann", ["a"]), /HoldfastError/);
            failing = "";
            await repeat(issuer.users);
            assert.ok(await isOver(issuer, tokens));
            const later = await tokensOf(issuer, clock, "ann");
            await repeat(issuer.users);
            assert.equal(await isOver(issuer, later), false, "a completed change ends no later session");
            await issuer.users.remove("ann");
          }
        }
      });
    });

    test("each action is an audit event with its actor and its source", async () => {
      await open(async (store, clock) => {
        const issuer = openIssuer(store, clock);
        const by = { actor: "boss", source: "192.0.2.7" };
        await issuer.users.add({ username: "ann", password: "long enough", scopes: ["a"] }, by);
        const { subject } = (await issuer.users.get("ann")) ?? {};
        await issuer.users.setScopes("ann", ["b"], by);
        await issuer.users.setPassword("ann", "another password", by);
        await issuer.users.disable("ann", by);
        await issuer.users.enable("ann", by);
        await issuer.users.remove("ann", by);
        const events = (await store.audit.recent(20)).filter(({ kind }) => kind !== "subject_ended");
        assert.deepEqual(events.map(({ kind, detail }) => [kind, detail]).toReversed(), [
          ["user_added", "ann"],
          ["user_scopes_changed", "ann: b"],
          ["password_changed", "ann"],
          ["user_disabled", "ann"],
          ["user_enabled", "ann"],
          ["user_removed", "ann"],
        ]);
        for (const event of events) {
          assert.deepEqual([event.actor, event.source, event.subject], ["boss", "192.0.2.7", subject]);
        }
      });
    });

    test("law 3: a guard with the revocation log refuses the tokens of a disabled user at once", async () => {
      await open(async (store, clock) => {
        const issuer = openIssuer(store, clock);
        await addUser(issuer, "ann", ["a"]);
        const { access_token: token } = await tokensOf(issuer, clock, "ann");
        const guard = createGuard({
          issuer: ISSUER_URL,
          audience: "https://api.example.com",
          keys: jwks("http://localhost/.well-known/jwks.json", {
            fetch: async (input, init) => await issuer.fetch(new Request(input, init)),
          }),
          revocations: issuer.revocations,
          clock,
        });
        await guard.ready();
        assert.equal((await guard.validate(token)).status, "valid");
        await issuer.users.disable("ann");
        const verdict = await guard.validate(token);
        assert.deepEqual(verdict, { status: "invalid", reason: "revoked" });
        await guard.close();
      });
    });

    test("law 5: a disabled user cannot be enabled by a writer of the store, and records of older versions stay authentic", async () => {
      await open(async (store, clock) => {
        const issuer = openIssuer(store, clock);
        await addUser(issuer, "ann");
        await issuer.users.disable("ann");
        const record = await store.users.get("ann");
        assert.ok(record !== null);
        await store.users.replace({ ...record, disabledAt: null }, record.mac);
        assert.equal(await logIn(issuer, "ann"), "denied");
        assert.equal(await issuer.users.get("ann"), null);
      });
    });
  });
}
