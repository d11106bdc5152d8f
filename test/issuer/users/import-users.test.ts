import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Issuer } from "../../../src/issuer/types.ts";
import type { Store } from "../../../src/stores/store.ts";
import type { FakeClock } from "../../../src/testing/fake-clock.ts";
import { bearerHeader, createFixture, sendRequest, settleOnClock } from "../fixture.ts";
import { failStore, stores, wrapStore } from "../stores.ts";
import { HASHED_PASSWORD, passwordHashes } from "./password-hashes.ts";

function openIssuer(store: Store, clock: FakeClock): Issuer {
  return createFixture({ store, clock, authenticate: undefined } as object).issuer;
}

const ownForm = /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/;
const bcrypt = passwordHashes.find(([from]) => from === "bcrypt $2b")?.[1] ?? "";

for (const [name, open] of stores) {
  describe(`imported users on ${name}`, () => {
    test("log in with their passwords, and get a hash of Argon2id at the first login", async () => {
      await open(async (store, clock) => {
        const issuer = openIssuer(store, clock);
        const users = passwordHashes.map(([, passwordHash], index) => {
          return { username: `User ${index}`, passwordHash, scopes: ["a"] };
        });
        assert.deepEqual(await issuer.users.import(users), { added: users.length, skipped: 0 });
        for (const [index, { username, passwordHash }] of users.entries()) {
          const login = async (password: string) =>
            (await issuer.login({ username: username.toUpperCase(), password }, { source: username })).status;
          assert.equal(await login("wrong password"), "denied");
          assert.equal((await store.users.get(username))?.passwordHash, passwordHash);
          assert.equal(await login(HASHED_PASSWORD), "ok", passwordHashes[index]?.[0]);
        }
        await issuer.close();
        const again = openIssuer(store, clock);
        for (const { username, passwordHash } of users) {
          const user = await store.users.get(username);
          assert.match(user?.passwordHash ?? "", ownForm);
          assert.notEqual(user?.passwordHash, passwordHash);
        }
        const status = (await again.login({ username: "User 0", password: HASHED_PASSWORD })).status;
        assert.equal(status, "ok");
        const events = (await store.audit.recent(100)).filter(({ kind }) => kind === "users_imported");
        assert.deepEqual(
          events.map(({ detail }) => detail),
          [`added: ${users.length}, skipped: 0`],
        );
      });
    });

    test("keep their hash when it cannot be replaced, and the next login replaces it", async () => {
      await open(async (store, clock) => {
        let broken = true;
        const faulty = failStore(store, (method) => broken && method === "users.replace" && "before");
        await openIssuer(store, clock).users.import([{ username: "ann", passwordHash: bcrypt }]);
        const first = openIssuer(faulty, clock);
        assert.equal((await first.login({ username: "ann", password: HASHED_PASSWORD })).status, "ok");
        await first.close();
        assert.equal((await store.users.get("ann"))?.passwordHash, bcrypt);
        broken = false;
        const second = openIssuer(faulty, clock);
        assert.equal((await second.login({ username: "ann", password: HASHED_PASSWORD })).status, "ok");
        await second.close();
        assert.match((await store.users.get("ann"))?.passwordHash ?? "", ownForm);
      });
    });

    test("keep a password that an administrator sets while the hash is replaced", async () => {
      await open(async (store, clock) => {
        const other = openIssuer(store, clock);
        let replaced = false;
        const slow = wrapStore(store, async (method, call) => {
          if (method === "users.replace" && !replaced) {
            replaced = true;
            await other.users.setPassword("ann", "another password");
          }
          return await call();
        });
        await other.users.import([{ username: "ann", passwordHash: bcrypt }]);
        const issuer = openIssuer(slow, clock);
        assert.equal((await issuer.login({ username: "ann", password: HASHED_PASSWORD })).status, "ok");
        await issuer.close();
        await clock.advance(2);
        assert.equal((await other.login({ username: "ann", password: HASHED_PASSWORD })).status, "denied");
        assert.equal((await other.login({ username: "ann", password: "another password" })).status, "ok");
      });
    });

    test("change their password directly after the first login", async () => {
      await open(async (store, clock) => {
        const issuer = openIssuer(store, clock);
        await issuer.users.import([{ username: "ann", passwordHash: bcrypt }]);
        const outcome = await issuer.login({ username: "ann", password: HASHED_PASSWORD });
        assert.ok(outcome.status === "ok");
        await clock.advance(2);
        const body = { current_password: HASHED_PASSWORD, new_password: "another password" };
        const changing = sendRequest(issuer, "POST", "/auth/password", body, bearerHeader(outcome.tokens));
        assert.equal((await settleOnClock(clock, changing)).status, 200);
        await issuer.close();
        const { passwordHash } = (await store.users.get("ann")) ?? {};
        assert.match(passwordHash ?? "", ownForm);
        const next = await openIssuer(store, clock).login({ username: "ann", password: "another password" });
        assert.equal(next.status, "ok");
      });
    });

    test("are not imported at all when one row cannot be, and the message names each such row", async () => {
      await open(async (store, clock) => {
        const issuer = openIssuer(store, clock);
        await issuer.users.add({ username: "Bob", password: "password of bob" });
        const users = [
          { username: "ann", passwordHash: bcrypt },
          { username: "carol", passwordHash: "$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/", line: 7 },
          { username: "dora", passwordHash: bcrypt.replace("$04$", "$17$") },
          { username: "a\nb", passwordHash: bcrypt },
          { username: "ANN", passwordHash: bcrypt },
          { username: "eve", passwordHash: bcrypt, scopes: ["two words"] },
          { username: "bob", passwordHash: bcrypt },
        ];
        await assert.rejects(issuer.users.import(users), (error: Error) => {
          assert.deepEqual(error.message.split("\n"), [
            "no user was imported",
            "line 7: passwordHash must be a hash of bcrypt, scrypt, PBKDF2 or Argon2 in a known spelling",
            "users[2]: passwordHash must be a hash whose verification takes at most about two seconds and 256 MiB",
            "users[3]: username must be 1 to 128 characters without control characters",
            "users[4]: username is the one of users[0]",
            "users[5]: scopes must be an array of scopes (RFC 6749 §3.3) that fits into a token",
            "users[6]: there is a user of this name already",
          ]);
          return true;
        });
        assert.equal((await issuer.users.list()).length, 1);
        const some = [users[0], users[6]].filter((user) => user !== undefined);
        assert.deepEqual(await issuer.users.import(some, { existing: "skip" }), { added: 1, skipped: 1 });
        assert.equal((await issuer.login({ username: "bob", password: "password of bob" })).status, "ok");
      });
    });
  });
}

test("a user is added with a hash or with a password, not with both, and a disabled import cannot log in", async () => {
  const { issuer } = createFixture({ authenticate: undefined } as object);
  await issuer.users.add({ username: "ann", passwordHash: bcrypt });
  assert.equal((await issuer.login({ username: "ann", password: HASHED_PASSWORD })).status, "ok");
  await assert.rejects(issuer.users.add({ username: "bob", passwordHash: "plain" }), (error: Error) => {
    assert.match(error.message, /^passwordHash must be a hash of bcrypt/);
    return !error.message.includes("plain");
  });
  const both = { username: "bob", passwordHash: bcrypt, password: "password of bob" };
  await assert.rejects(issuer.users.add(both), /password must be left out/);
  await assert.rejects(issuer.users.add({ username: "bob" }), /password must be from 8 to 1024 bytes/);
  await issuer.users.import([{ username: "carol", passwordHash: bcrypt, disabled: true }]);
  assert.equal((await issuer.login({ username: "carol", password: HASHED_PASSWORD })).status, "denied");
});
