import assert from "node:assert/strict";
import { test } from "node:test";
import type { AuthenticatedUser } from "../../../src/issuer/types.ts";
import { EXPIRED_RETENTION_MS } from "../../../src/stores/retention.ts";
import { createFixture, OTHER_SECRET, SECRET, sendRequest } from "../fixture.ts";
import { failStore, stores } from "../stores.ts";

const ann: AuthenticatedUser = { subject: "ann", scopes: ["orders:read"], once: "nonce 1" };

for (const [name, open] of stores) {
  test(`a proof begins one session only, on every process of the store, with ${name}`, async () => {
    await open(async (store, clock) => {
      const one = createFixture({ store, clock });
      // The second secret is new, so the first process seals the keys.
      await one.issuer.ready();
      const other = createFixture({ store, clock, secret: `${OTHER_SECRET},${SECRET}` });
      const begun = await Promise.all(
        [one, other, one, other].map(async ({ issuer }) => (await issuer.beginSession(ann)).status),
      );
      assert.deepEqual(begun.toSorted(), ["denied", "denied", "denied", "ok"]);
      assert.equal((await one.issuer.sessions.list("ann")).sessions.length, 1);

      const [event] = (await store.audit.recent(10)).filter(({ kind }) => kind === "login_refused");
      assert.equal(event?.detail, "the proof of this login has begun a session before");
      assert.equal(event.subject, "ann");
      const statusOf = async (user: AuthenticatedUser) => (await one.issuer.beginSession(user)).status;
      assert.equal(await statusOf({ ...ann, once: "nonce 2" }), "ok");
      assert.equal(await statusOf({ ...ann, subject: "bob" }), "ok");
    });
  });
}

test("a proof stays used after the logout, and until a day after its session has expired", async () => {
  const { issuer, store, clock } = createFixture({ refreshIdleMs: 3_600_000 });
  const begun = await issuer.beginSession(ann);
  assert.ok(begun.status === "ok");
  await issuer.endSession(begun.tokens.session_id, "logout");
  await clock.advance(3_600_000 + EXPIRED_RETENTION_MS - 1);
  await store.prune();
  assert.equal((await issuer.beginSession(ann)).status, "denied");
});

test("a login whose authenticate names a proof is a 401 when the proof comes again", async () => {
  const { issuer } = createFixture({
    authenticate: ({ assertion }) => ({ subject: "ann", scopes: [], once: String(assertion) }),
  });
  const logIn = async (assertion: string) =>
    (await sendRequest(issuer, "POST", "/auth/login", { assertion })).status;
  assert.deepEqual([await logIn("a"), await logIn("a"), await logIn("b")], [200, 401, 200]);
});

test("law 1: a proof is neither used nor refused while the store cannot tell", async () => {
  const { issuer: honest, store, clock } = createFixture();
  await honest.ready();
  let failing = "sessions.get";
  const faulty = failStore(store, (call) => call === failing && "before");
  const { issuer } = createFixture({ store: faulty, clock });
  assert.equal((await issuer.beginSession(ann)).status, "unavailable");
  failing = "sessions.create";
  assert.equal((await issuer.beginSession(ann)).status, "unavailable");
  assert.equal((await honest.beginSession(ann)).status, "ok");
  failing = "sessions.get";
  assert.equal((await issuer.beginSession(ann)).status, "unavailable");
});

test("a login whose session was stored without a confirmation is no wrong password when its proof comes again", async () => {
  const { issuer: honest, store, clock } = createFixture();
  await honest.ready();
  let proof = "lost";
  let isFailing = true;
  const authenticate = () => ({ subject: "ann", scopes: [], once: proof });
  const faulty = failStore(store, (call) => isFailing && call === "sessions.create" && "after");
  const { issuer } = createFixture({ store: faulty, clock, authenticate });
  const logIn = async () => (await issuer.login({ username: "ann" }, { source: "192.0.2.7" })).status;
  assert.equal(await logIn(), "unavailable");
  isFailing = false;
  for (let attempt = 0; attempt < 20; attempt++) assert.equal(await logIn(), "denied");
  assert.equal((await honest.sessions.list("ann")).sessions.length, 1);
  proof = "new";
  assert.equal(await logIn(), "ok");
  for (let attempt = 0; attempt < 80; attempt++) assert.equal(await logIn(), "denied");
  assert.equal(await logIn(), "limited");
});

test("an issuer with another URL on the same store takes the same proof", async () => {
  const { issuer, store, clock } = createFixture();
  const { issuer: other } = createFixture({ store, clock, url: "https://other.example.com" });
  assert.equal((await issuer.beginSession(ann)).status, "ok");
  assert.equal((await other.beginSession(ann)).status, "ok");
});

test("law 5: the store has no proof in clear text", async () => {
  const { issuer, store } = createFixture();
  const begun = await issuer.beginSession({ ...ann, once: "a proof that is secret" });
  assert.ok(begun.status === "ok");
  const session = await store.sessions.get(begun.tokens.session_id);
  assert.doesNotMatch(JSON.stringify(session), /a proof that is secret/);
});

test("a proof takes no space in the token, so the largest user may have the longest proof", async () => {
  const { issuer } = createFixture();
  const user: AuthenticatedUser = { subject: "ann", scopes: [], claims: { note: "" } };
  const note = "x".repeat(4_096 - JSON.stringify(user).length);
  const begin = async (once: string, more = "") =>
    await issuer.beginSession({ ...user, claims: { note: note + more }, once });
  assert.equal((await begin("y".repeat(512))).status, "ok");
  await assert.rejects(begin("y", "x"), { message: /the user is unusable: .*does not fit into a token/ });
});

test("a proof that is no text of 1 to 512 characters is refused", async () => {
  const { issuer } = createFixture();
  for (const once of ["", "x".repeat(513), 7]) {
    await assert.rejects(issuer.beginSession({ ...ann, once } as AuthenticatedUser), {
      code: "invalid_option",
      message: /beginSession: the user is unusable: once/,
    });
  }
});
