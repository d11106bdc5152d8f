import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { IssuerEvent } from "../../../src/core/events.ts";
import { loginKeyOf, normalizeUsername } from "../../../src/issuer/users/login-name.ts";
import type { Issuer, IssuerOptions } from "../../../src/issuer/types.ts";
import type { Store } from "../../../src/stores/store.ts";
import type { FakeClock } from "../../../src/testing/fake-clock.ts";
import { createFixture } from "../fixture.ts";
import { stores, wrapStore } from "../stores.ts";

function openIssuer(store: Store, clock: FakeClock, loginNames?: IssuerOptions["loginNames"]): Issuer {
  const options = { store, clock, authenticate: undefined, ...(loginNames && { loginNames }) };
  return createFixture(options as object).issuer;
}

async function statusOf(issuer: Issuer, username: string, password: string): Promise<string> {
  return (await issuer.login({ username, password }, { source: username })).status;
}

/** The store as an older version sees it: it writes neither login keys nor the marker of the comparison. */
function olderVersionOf(store: Store): Store {
  return wrapStore(store, async (name, call, args) => {
    if (name === "users.add")
      return await store.users.add({ ...(args[0] as never as object), loginKey: null } as never);
    if (name.startsWith("markers.") && args[0] === "loginNames") return "exact";
    if (name === "users.getByLoginKey") return null;
    return await call();
  });
}

const folded = { config: { loginNames: "case-insensitive" } } as const;
const exact = { config: { loginNames: "exact" } } as const;

for (const [name, open] of stores) {
  describe(`login names on ${name}`, () => {
    test("are compared without case and outer blanks, at login and when a user is added", async () => {
      await open(async (store, clock) => {
        const issuer = openIssuer(store, clock);
        assert.equal(await issuer.users.add({ username: "alice", password: "password of alice" }), "added");
        assert.equal(await issuer.users.add({ username: " Straße ", password: "password of st" }), "added");
        for (const spelling of ["Alice", "ALICE", "alice ", " alice", "\u3000ＡＬＩＣＥ\u00a0"]) {
          assert.equal(await statusOf(issuer, spelling, "password of alice"), "ok", spelling);
          assert.equal(
            await issuer.users.add({ username: spelling, password: "another" + "1".repeat(8) }),
            "exists",
          );
        }
        for (const spelling of ["STRASSE", "straße", "strasse", "STRAẞE"]) {
          assert.equal(await statusOf(issuer, spelling, "password of st"), "ok", spelling);
        }
        assert.deepEqual(
          (await issuer.users.list()).map(({ username }) => username),
          ["Straße", "alice"],
        );
        assert.equal(await issuer.users.setPassword("ALICE", "another password"), "changed");
      });
    });

    test("are compared as they are spelt with loginNames exact", async () => {
      await open(async (store, clock) => {
        const issuer = openIssuer(store, clock, "exact");
        for (const username of ["alice", "Alice"]) {
          assert.equal(await issuer.users.add({ username, password: `password of ${username}` }), "added");
          assert.equal(await statusOf(issuer, username, `password of ${username}`), "ok");
        }
        for (const spelling of ["ALICE", " alice", "alice "]) {
          assert.equal(await statusOf(issuer, spelling, "password of alice"), "denied", spelling);
        }
        await assert.rejects(
          issuer.users.add({ username: " bob", password: "password of bob" }),
          /username must be/,
        );
      });
    });

    test("of an older version are found, and two names that differ only in case lock nobody out", async () => {
      await open(async (store, clock) => {
        const before = openIssuer(olderVersionOf(store), clock, "exact");
        for (const username of ["Bob", "Alice", "alice"]) {
          await before.users.add({ username, password: `password of ${username}` });
        }
        const messages: string[] = [];
        const listener = (event: unknown) => {
          const { event: kind, message } = event as IssuerEvent;
          if (kind === "login_names_collide") messages.push(message);
        };
        subscribe("holdfast:issuer", listener);
        const issuer = openIssuer(store, clock);
        await issuer.ready();
        unsubscribe("holdfast:issuer", listener);
        assert.deepEqual(messages, ["1 users log in only under the exact spelling of their names: alice"]);
        for (const spelling of ["Bob", "bob", "BOB "]) {
          assert.equal(await statusOf(issuer, spelling, "password of Bob"), "ok", spelling);
        }
        assert.equal(await statusOf(issuer, "alice", "password of alice"), "ok");
        assert.equal(await statusOf(issuer, "Alice", "password of Alice"), "ok");
        assert.equal(await issuer.users.add({ username: "ALICE", password: "another password" }), "exists");
        assert.equal(await issuer.users.add({ username: "bob", password: "another password" }), "exists");
      });
    });

    test("that an older version adds beside this one are found under every spelling after the next start", async () => {
      await open(async (store, clock) => {
        await openIssuer(store, clock).ready();
        const older = openIssuer(olderVersionOf(store), clock, "exact");
        await older.users.add({ username: "Bob", password: "password of Bob" });
        await openIssuer(store, clock).ready();
        assert.equal(await statusOf(openIssuer(store, clock), "bob", "password of Bob"), "ok");

        await clock.advance(86_400_000);
        let pages = 0;
        const counting = wrapStore(store, async (method, call) => {
          if (method === "users.list") pages++;
          return await call();
        });
        await openIssuer(counting, clock).ready();
        assert.equal(pages, 0, "a day later no start reads all users");
      });
    });

    test("change their comparison at the next start", async () => {
      await open(async (store, clock) => {
        await openIssuer(store, clock).users.add({ username: "Carol", password: "password of Carol" });
        const strict = openIssuer(store, clock, "exact");
        assert.equal(await statusOf(strict, "carol", "password of Carol"), "denied");
        assert.equal(await statusOf(strict, "Carol", "password of Carol"), "ok");
        assert.equal(await strict.users.add({ username: "Dora", password: "password of Dora" }), "added");
        const lax = openIssuer(store, clock);
        for (const spelling of ["carol", "CAROL"])
          assert.equal(await statusOf(lax, spelling, "password of Carol"), "ok");
        assert.equal(await statusOf(lax, "dora", "password of Dora"), "ok");
      });
    });

    test("law 5: a store that returns another user for a login key opens no other account", async () => {
      await open(async (store, clock) => {
        const honest = openIssuer(store, clock);
        await honest.users.add({ username: "mallory", password: "password of mallory" });
        const forged = wrapStore(store, async (method, call) =>
          method === "users.getByLoginKey" || method === "users.get"
            ? await store.users.get("mallory")
            : await call(),
        );
        assert.equal(await statusOf(openIssuer(forged, clock), "alice", "password of mallory"), "denied");
      });
    });
  });
}

test("the login key of a name is the login key of its upper-case, lower-case and padded forms, and of itself", () => {
  const names = fc.string({ unit: "grapheme", maxLength: 40 });
  fc.assert(
    fc.property(names, (text) => {
      const name = normalizeUsername(folded, text);
      if (name === null) return;
      const key = loginKeyOf(folded, name);
      for (const form of [name.toUpperCase(), name.toLowerCase(), ` ${name}\u00a0`, key]) {
        const normal = normalizeUsername(folded, form);
        if (normal !== null) assert.equal(loginKeyOf(folded, normal), key, JSON.stringify([text, form]));
      }
      assert.equal(normalizeUsername(folded, name), name);
      assert.equal(loginKeyOf(exact, name), name);
    }),
    { numRuns: 2000 },
  );
});

test("the login key of every single character stays the same when it is formed again", () => {
  for (let point = 0x20; point <= 0x10_ff_ff; point++) {
    const name = normalizeUsername(folded, `a${String.fromCodePoint(point)}b`);
    if (name === null) continue;
    const key = loginKeyOf(folded, name);
    assert.equal(loginKeyOf(folded, key.normalize("NFKC")), key, point.toString(16));
    assert.equal(loginKeyOf(folded, name.toUpperCase().normalize("NFKC")), key, point.toString(16));
  }
});

test("law 6: a name that is too long is refused before its normalization", () => {
  assert.equal(normalizeUsername(folded, "x".repeat(512)), null);
  assert.equal(normalizeUsername(folded, `a${"\u0300\u0316".repeat(30_000)}`), null);
  assert.equal(normalizeUsername(folded, `${" ".repeat(200)}${"x".repeat(128)}`), "x".repeat(128));
  assert.equal(normalizeUsername(folded, "x".repeat(129)), null);
});
