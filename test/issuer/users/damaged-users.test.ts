import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { createClient } from "redis";
import type { Issuer, TokenResponse } from "../../../src/issuer/types.ts";
import { redisStore } from "../../../src/stores/redis.ts";
import { sqliteStore } from "../../../src/stores/sqlite.ts";
import type { Store } from "../../../src/stores/store.ts";
import { FakeClock } from "../../../src/testing/fake-clock.ts";
import { temporaryFolder } from "../../stores/temporary-folder.ts";
import { noRedis, RedisServer } from "../../support/redis-servers.ts";
import { bearerHeader, claimsOf, createFixture, logIn, sendRequest } from "../fixture.ts";

const NAMES = ["ann", "bob", "cem"];

function openIssuer(store: Store): Issuer {
  return createFixture({ store, authenticate: undefined } as object).issuer;
}

async function statusOf(issuer: Issuer, username: string): Promise<string> {
  const password = `password of ${username}`;
  return (await issuer.login({ username, password }, { source: username })).status;
}

/** Damages the record of bob between two starts. Then removes it and adds bob again. */
async function check(store: Store, damage: () => Promise<unknown>): Promise<void> {
  const earlier = openIssuer(store);
  const add = async (issuer: Issuer, username: string) =>
    await issuer.users.add({ username, password: `password of ${username}` });
  for (const name of NAMES) assert.equal(await add(earlier, name), "added");
  const sessions = await Promise.all(NAMES.map(async (name) => await logIn(earlier, name, name)));
  const [, ofBob] = sessions as [TokenResponse, TokenResponse, TokenResponse];
  await damage();
  await earlier.close();
  const issuer = openIssuer(store);
  await issuer.ready();
  assert.deepEqual(await Promise.all(NAMES.map(async (name) => await statusOf(issuer, name))), [
    "ok",
    "unavailable",
    "ok",
  ]);
  assert.deepEqual(
    (await issuer.users.list()).map(({ username }) => username),
    ["ann", "cem"],
  );
  assert.ok((await store.audit.recent(100)).some(({ kind }) => kind === "record_tampered"));
  assert.equal(await issuer.users.remove("bob"), "removed");
  // Law 3: the removal ends the sessions of the user.
  const { sub } = claimsOf(ofBob.access_token);
  const { entries } = await store.revocations.snapshot();
  assert.ok(entries.some(({ revocation: { kind, id } }) => kind === "subject" && id === sub));
  assert.deepEqual(await issuer.refresh(ofBob.refresh_token), { status: "invalid_grant" });
  for (const { refresh_token: token } of [sessions[0], sessions[2]] as TokenResponse[]) {
    assert.equal((await issuer.refresh(token)).status, "ok");
  }
  const [removal] = await store.audit.recent(1);
  assert.deepEqual([removal?.kind, removal?.detail], ["user_removed", "bob"]);
  assert.equal(removal?.subject, sub, "the event names the user whose sessions ended");
  assert.equal(await store.users.getBySubject(String(sub)), null);
  assert.equal(await issuer.users.remove("bob"), "unknown");
  assert.equal(await add(issuer, "BOB"), "added");
  assert.equal(await issuer.users.remove("BOB"), "removed");
  assert.equal(await add(issuer, "bob"), "added");
  assert.equal(await statusOf(issuer, "Bob"), "denied");
  assert.equal(await statusOf(issuer, "bob"), "ok");
  await issuer.close();
}

test(
  "law 1: a damaged user in Redis keeps no other one from the login after a start, and can be removed",
  {
    skip: noRedis,
  },
  async (t) => {
    const server = await RedisServer.start(["appendfsync no"]);
    const raw = await createClient({ url: server.url, RESP: 2 }).connect();
    t.after(async () => {
      raw.destroy();
      await server.stop();
    });
    const damages = [
      '{"username":"bob","pass',
      "{}",
      "[]",
      "5",
      '{"username":"bob"}',
      '{"username":5,"mac":"x"}',
    ];
    for (const damage of damages) {
      await raw.flushAll();
      const store = await redisStore({ url: server.url, durability: "unchecked" });
      try {
        await check(store, async () => await raw.hSet("holdfast:{users}", "bob", damage));
      } finally {
        await store.close();
      }
    }
  },
);

type Raw = Awaited<ReturnType<ReturnType<typeof createClient>["connect"]>>;

/** Calls `damage` with the subjects of ann and bob, who have a session each, and removes bob. */
async function removeChanged(
  t: TestContext,
  damage: (raw: Raw, ann: string, bob: string) => Promise<unknown>,
  acl?: readonly string[],
) {
  const server = await RedisServer.start(["appendfsync no"]);
  const raw = (await createClient({ url: server.url }).connect()) as unknown as Raw;
  if (acl !== undefined) await raw.sendCommand(["ACL", "SETUSER", "default", ...acl]);
  const store = await redisStore({ url: server.url, durability: "unchecked" });
  const issuer = openIssuer(store);
  t.after(async () => {
    await issuer.close();
    await store.close();
    raw.destroy();
    await server.stop();
  });
  const tokens: TokenResponse[] = [];
  for (const username of ["ann", "bob"]) {
    await issuer.users.add({ username, password: `password of ${username}` });
    tokens.push(await logIn(issuer, username, username));
  }
  const [ann = "", bob = ""] = tokens.map((one) => String(claimsOf(one.access_token)["sub"]));
  await damage(raw, ann, bob);
  const outcome = await issuer.users
    .remove("bob")
    .catch((error: unknown) => (error as { code: string }).code);
  const refreshes = await Promise.all(tokens.map(async (one) => await issuer.refresh(one.refresh_token)));
  const [event] = await store.audit.recent(1);
  return { outcome, sessions: refreshes.map(({ status }) => status), raw, event, ann, bob };
}

const USERS = "holdfast:{users}";
const SUBJECTS = "holdfast:{users}:subjects";

async function nameSubject(raw: Raw, subject: string): Promise<void> {
  const bob = JSON.parse(String(await raw.hGet(USERS, "bob"))) as object;
  await raw.hSet(USERS, "bob", JSON.stringify({ ...bob, subject }));
}

test(
  "law 3: a record that another program gave the subject of another user ends the sessions of its own",
  { skip: noRedis },
  async (t) => {
    const removed = await removeChanged(t, async (raw, ann) => await nameSubject(raw, ann));
    assert.equal(removed.outcome, "removed");
    assert.deepEqual(removed.sessions, ["ok", "invalid_grant"]);
    assert.equal(removed.event?.subject, removed.bob);
    assert.equal(await removed.raw.hGet(SUBJECTS, removed.ann), "ann");
  },
);

const FORGERIES: Readonly<Record<string, Parameters<typeof removeChanged>[1]>> = {
  record: async (raw, ann, bob) => {
    await nameSubject(raw, ann);
    await raw.hDel(SUBJECTS, bob);
  },
  index: async (raw, ann, bob) => {
    await raw.hSet(USERS, "bob", "{");
    await raw.hDel(SUBJECTS, bob);
    await raw.hSet(SUBJECTS, ann, "bob");
  },
};

for (const [where, forge] of Object.entries(FORGERIES)) {
  test(
    `law 6: the subject of another user in a changed ${where} does not end the sessions of that user`,
    { skip: noRedis },
    async (t) => {
      const { outcome, sessions, event } = await removeChanged(t, forge);
      assert.equal(outcome, "removed_sessions_unknown");
      assert.deepEqual(sessions, ["ok", "ok"]);
      assert.deepEqual(
        [event?.kind, event?.subject, event?.detail],
        ["user_removed", null, "bob: no session was ended, because the subject is not known"],
      );
    },
  );
}

test(
  "law 12: a removal without the right to search the subjects says that no session was ended",
  { skip: noRedis },
  async (t) => {
    const damage = async (raw: Raw) => await raw.hSet(USERS, "bob", "{");
    const { outcome, sessions } = await removeChanged(t, damage, ["-hscan"]);
    assert.equal(outcome, "removed_sessions_unknown");
    assert.deepEqual(sessions, ["ok", "ok"]);
  },
);

test("law 12: a damaged user stays when the search for the subject fails", { skip: noRedis }, async (t) => {
  const { outcome, raw } = await removeChanged(t, async (client) => {
    await client.hSet(USERS, "bob", "{");
    await client.set(SUBJECTS, "damaged");
  });
  assert.equal(outcome, "store_corrupt");
  assert.equal(await raw.hGet(USERS, "bob"), "{");
});

test("law 1: a damaged user in SQLite keeps no other one from the login after a start, and can be removed", async () => {
  for (const damage of ["{", "{}", "5", "[7]"]) {
    const folder = temporaryFolder();
    const file = join(folder.path, "holdfast.db");
    const store = await sqliteStore({ file });
    const db = new DatabaseSync(file);
    try {
      await check(store, async () => {
        await Promise.resolve(db.prepare("UPDATE users SET scopes = ? WHERE username = 'bob'").run(damage));
      });
    } finally {
      db.close();
      await store.close();
      folder.remove();
    }
  }
});

const CHANGES: Readonly<Record<string, string>> = {
  "other scopes": `scopes = '["holdfast:admin"]'`,
  "another MAC": "mac = 'A'",
  "an empty MAC": "mac = ''",
};

for (const [what, change] of Object.entries(CHANGES)) {
  test(`law 3: a user whose row another program gave ${what} can be removed with the sessions, and added again`, async (t) => {
    const folder = temporaryFolder();
    const file = join(folder.path, "holdfast.db");
    const store = await sqliteStore({ file });
    const issuer = openIssuer(store);
    t.after(async () => {
      await issuer.close();
      await store.close();
      folder.remove();
    });
    const bob = { username: "bob", password: "password of bob" };
    assert.equal(await issuer.users.add(bob), "added");
    const tokens = await logIn(issuer, "bob", "bob");
    const db = new DatabaseSync(file);
    db.exec(`UPDATE users SET ${change} WHERE username = 'bob'`);
    db.close();
    assert.equal(await issuer.users.add(bob), "exists");
    assert.equal(await issuer.users.remove("bob"), "removed");
    assert.deepEqual(await issuer.refresh(tokens.refresh_token), { status: "invalid_grant" });
    assert.equal(await issuer.users.remove("bob"), "unknown");
    assert.equal(await issuer.users.add(bob), "added");
    assert.equal(await statusOf(issuer, "bob"), "ok");
  });
}

test("law 12: the removal of a damaged user over HTTP says when no session was ended", async (t) => {
  const folder = temporaryFolder();
  const file = join(folder.path, "holdfast.db");
  const clock = new FakeClock();
  const store = await sqliteStore({ file, clock });
  const { issuer } = createFixture({ store, clock, authenticate: undefined } as object);
  t.after(async () => {
    await issuer.close();
    await store.close();
    folder.remove();
  });
  for (const username of ["ann", "bob"]) {
    await issuer.users.add({ username, password: `password of ${username}`, scopes: ["holdfast:admin"] });
  }
  await issuer.ready();
  const headers = bearerHeader(await logIn(issuer, "ann", "ann"));
  const db = new DatabaseSync(file);
  db.exec("UPDATE users SET subject = '' WHERE username = 'bob'");
  db.close();
  const response = await sendRequest(issuer, "DELETE", "/admin/users/bob", undefined, headers);
  assert.deepEqual([response.status, await response.json()], [200, { sessions: "unknown" }]);
  assert.equal(await store.users.get("bob"), null);
});
