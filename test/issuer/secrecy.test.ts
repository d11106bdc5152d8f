import assert from "node:assert/strict";
import { channel } from "node:diagnostics_channel";
import { describe, test } from "node:test";
import { generateSigningKey, signToken } from "../../src/jwt/sign.ts";
import type { SessionRecord, SigningKeyRecord, Store, UserRecord } from "../../src/stores/store.ts";
import {
  bearerHeader,
  sendRequest,
  claimsOf,
  createFixture,
  logIn,
  SECRET,
  validateAtIssuer,
} from "./fixture.ts";
import { stores, wrapStore } from "./stores.ts";

/** The store as somebody sees and changes it who can write to it: what it answers is passed through `forge`. */
function forging(store: Store, forge: (name: string, answer: unknown) => unknown): Store {
  return wrapStore(store, async (name, work) => forge(name, await work()));
}

const tampered = async (store: Store) =>
  (await store.audit.recent(100)).filter(({ kind }) => kind === "record_tampered").length;

for (const [name, open] of stores) {
  test(`law 5: no token, password or secret is in the store, the audit trail or an event, on ${name}`, async () => {
    await open(async (store, clock) => {
      const seen: unknown[] = [];
      const listen = (event: unknown) => seen.push(event);
      const channels = ["holdfast:audit", "holdfast:issuer"].map((one) => channel(one));
      for (const one of channels) one.subscribe(listen);
      // Everything that ever goes into the store or comes out of it.
      const watched = wrapStore(store, async (method, work, args) => {
        const answer = await work();
        // A name that is looked up is a question and not kept: it may be a password typed into the wrong field.
        seen.push(method, method === "users.get" ? null : args, answer);
        return answer;
      });
      const { issuer } = createFixture({ store: watched, clock, authenticate: undefined } as object);
      await issuer.users.add({ username: "ann", password: "password of ann" });
      const first = await logIn(issuer);
      const second = await issuer.refresh(first.refresh_token);
      const again = await issuer.refresh(first.refresh_token);
      assert.ok(second.status === "ok" && again.status === "ok");
      await issuer.login({ username: "ann", password: "wrong password" });
      await issuer.login({ username: "wrong password", password: "x" });
      await sendRequest(issuer, "GET", "/auth/sessions", undefined, bearerHeader(first));
      await validateAtIssuer(issuer, first.access_token);
      await clock.advance(60_000);
      assert.equal((await issuer.refresh(first.refresh_token)).status, "invalid_grant");
      await issuer.keys.rotate();
      for (const one of channels) one.unsubscribe(listen);
      const dump = JSON.stringify(seen);
      const secrets = [SECRET, "password of ann", "wrong password", '"d":'];
      for (const { access_token, refresh_token } of [first, second.tokens, again.tokens]) {
        secrets.push(access_token, access_token.split(".")[2] ?? "", refresh_token, refresh_token.slice(4));
      }
      for (const secret of secrets) assert.ok(!dump.includes(secret), "found a secret");
      assert.ok(dump.includes(first.session_id), "the dump is one");
    });
  });
}

describe("law 5: whoever writes to the store mints nothing:", () => {
  test("a session given to another subject is refused, its tokens too", async () => {
    const { clock, store, issuer } = createFixture();
    const tokens = await logIn(issuer, "mallory");
    const forged = forging(store, (method, answer) => {
      const admin = (session: SessionRecord) => ({ ...session, subject: "admin" });
      if (method === "sessions.get") return answer && admin(answer as SessionRecord);
      if (method !== "sessions.rotate") return answer;
      const rotation = answer as { session: SessionRecord };
      return { ...rotation, session: admin(rotation.session) };
    });
    const { issuer: victim } = createFixture({ clock, store: forged });
    assert.equal((await victim.refresh(tokens.refresh_token)).status, "invalid_grant");
    assert.equal((await validateAtIssuer(victim, tokens.access_token)).valid, false);
    assert.equal(await tampered(store), 2);
  });

  test("neither is one with more scopes, a longer life, or another's facts", async () => {
    const { clock, store, issuer } = createFixture();
    const admin = await store.sessions.get((await logIn(issuer, "admin")).session_id);
    const changes: ((session: SessionRecord) => object)[] = [
      (session) => ({ facts: session.facts.replace("orders:read", "orders:write") }),
      (session) => ({ absoluteExpiresAt: session.absoluteExpiresAt + 1 }),
      (session) => ({ authAt: session.authAt + 1 }),
      () => ({ ...admin }),
      (session) => ({ ...admin, id: session.id }),
      () => ({ mac: "" }),
    ];
    for (const change of changes) {
      const tokens = await logIn(issuer, "mallory");
      const forged = forging(store, (method, answer) => {
        if (method !== "sessions.rotate") return answer;
        const rotation = answer as { session: SessionRecord };
        return { ...rotation, session: { ...rotation.session, ...change(rotation.session) } };
      });
      const outcome = await createFixture({ clock, store: forged }).issuer.refresh(tokens.refresh_token);
      assert.equal(outcome.status, "invalid_grant");
    }
  });

  test("fault 13: a digest swapped in from an own session opens no other session", async () => {
    const { clock, store, issuer } = createFixture();
    const victim = await logIn(issuer, "ann");
    const mallory = await logIn(issuer, "mallory");
    const own = await store.sessions.get(mallory.session_id);
    const forged = forging(store, (method, answer) => {
      if (method !== "sessions.get" || answer === null) return answer;
      return { ...(answer as object), currentDigest: own?.currentDigest };
    });
    const outcome = await createFixture({ clock, store: forged }).issuer.refresh(mallory.refresh_token);
    assert.ok(outcome.status === "ok");
    const claims = claimsOf(outcome.tokens.access_token);
    assert.deepEqual([claims["sub"], claims["sid"]], ["mallory", mallory.session_id]);
    assert.equal((await issuer.refresh(victim.refresh_token)).status, "ok");
  });

  test("a successor or a time of issue that was written there is not handed out", async () => {
    const { clock, store, issuer } = createFixture();
    const tokens = await logIn(issuer, "mallory");
    await issuer.refresh(tokens.refresh_token);
    const forgeries: [object, string][] = [
      [{ sealedSuccessor: "A".repeat(200) }, "invalid_grant"],
      [{ sealedSuccessor: "" }, "invalid_grant"],
    ];
    for (const [forgery, status] of forgeries) {
      const forged = forging(store, (method, answer) =>
        method === "sessions.rotate" ? { ...(answer as object), ...forgery } : answer,
      );
      const { issuer: other } = createFixture({ clock, store: forged });
      assert.equal((await other.refresh(tokens.refresh_token)).status, status);
    }
    const future = forging(store, (method, answer) => {
      if (method !== "sessions.rotate") return answer;
      const rotation = answer as { session: SessionRecord };
      const issuedAtS = rotation.session.issuedAtS + 86_400;
      return { ...rotation, session: { ...rotation.session, issuedAtS } };
    });
    const { issuer: other } = createFixture({ clock, store: future });
    const outcome = await other.refresh(tokens.refresh_token);
    assert.ok(outcome.status === "ok");
    const now = Math.floor(clock.now() / 1000);
    const { iat, exp } = claimsOf(outcome.tokens.access_token);
    assert.deepEqual([iat, exp], [now, now + 600]);
  });

  test("fault 13: a chosen password hash, name or scope logs nobody in", async () => {
    const own = { authenticate: undefined } as object;
    const { clock, store, issuer } = createFixture(own);
    await issuer.users.add({ username: "ann", password: "password of ann" });
    await issuer.users.add({ username: "mallory", password: "password of mallory" });
    const mallory = (await store.users.get("mallory")) as UserRecord;
    const forgeries: object[] = [
      { passwordHash: mallory.passwordHash },
      { ...mallory },
      { ...mallory, username: "ann" },
      { subject: mallory.subject, passwordHash: mallory.passwordHash, mac: mallory.mac },
    ];
    for (const forgery of forgeries) {
      const forged = forging(store, (method, answer) =>
        method === "users.get" ? { ...(answer as UserRecord), ...forgery } : answer,
      );
      const { issuer: victim } = createFixture({ ...own, clock, store: forged });
      for (const password of ["password of mallory", "password of ann"]) {
        assert.equal((await victim.login({ username: "ann", password })).status, "denied");
      }
    }
    const promoted = forging(store, (method, answer) =>
      method === "users.get" ? { ...(answer as UserRecord), scopes: ["holdfast:admin"] } : answer,
    );
    const { issuer: victim } = createFixture({ ...own, clock, store: promoted });
    assert.equal((await victim.login({ username: "ann", password: "password of ann" })).status, "denied");
  });

  test("a foreign signing key is neither used nor published, and proves nothing", async () => {
    const { clock, store, issuer } = createFixture();
    const tokens = await logIn(issuer, "mallory");
    const foreign = await generateSigningKey("ES256");
    const sealed = Buffer.from(JSON.stringify(foreign.privateJwk)).toString("base64url");
    const forged = forging(store, (method, answer) => {
      if (method !== "keys.list") return answer;
      const records = answer as SigningKeyRecord[];
      const [first] = records as [SigningKeyRecord];
      return [
        ...records,
        { ...first, kid: foreign.kid, sealed, createdAt: clock.now() + 1 },
        { ...first, kid: foreign.kid },
      ];
    });
    const { issuer: victim } = createFixture({ clock, store: forged });
    const response = await sendRequest(victim, "GET", "/.well-known/jwks.json");
    assert.ok(!(await response.text()).includes(foreign.kid));
    const minted = signToken({ ...claimsOf(tokens.access_token), sub: "admin" }, foreign);
    assert.deepEqual(await validateAtIssuer(victim, minted), { valid: false, reason: "unknown_key" });
    const told = await tampered(store);
    assert.ok(told >= 2);
    for (let i = 0; i < 5; i++) {
      await clock.advance(1_000);
      assert.equal((await validateAtIssuer(victim, (await logIn(victim)).access_token)).valid, true);
    }
    assert.equal(await tampered(store), told, "not again at every look");
  });
});
