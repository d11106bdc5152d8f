import assert from "node:assert/strict";
import { channel } from "node:diagnostics_channel";
import { describe, test } from "node:test";
import { generateSigningKey, signToken } from "../../src/jwt/sign.ts";
import type { SessionRecord } from "../../src/stores/session-store.ts";
import type { SigningKeyRecord, Store } from "../../src/stores/store.ts";
import type { UserRecord } from "../../src/stores/user-store.ts";
import {
  bearerHeader,
  sendRequest,
  claimsOf,
  createFixture,
  logIn,
  OTHER_SECRET,
  SECRET,
  validateAtIssuer,
} from "./fixture.ts";
import { stores, wrapStore } from "./stores.ts";

/** A store whose answers an attacker can change: each one is passed through `forge`. */
function forgeAnswers(store: Store, forge: (name: string, answer: unknown) => unknown): Store {
  return wrapStore(store, async (name, work) => forge(name, await work()));
}

const countTampered = async (store: Store) =>
  (await store.audit.recent(100)).filter(({ kind }) => kind === "record_tampered").length;

const isLookUp = (method: string) => method === "users.get" || method === "users.getByLoginKey";

for (const [name, open] of stores) {
  test(`law 5: store, audit log and events on ${name} contain no token, password or secret`, async () => {
    await open(async (store, clock) => {
      const seen: unknown[] = [];
      const listen = (event: unknown) => seen.push(event);
      const names = ["audit", "issuer", "login", "refresh", "command"];
      const channels = names.map((one) => channel(`holdfast:${one}`));
      for (const one of channels) one.subscribe(listen);
      // Every argument and answer of the store.
      const watched = wrapStore(store, async (method, work, args) => {
        const answer = await work();
        // The store does not keep a name that is looked up, which may be a password typed into the wrong field.
        seen.push(method, isLookUp(method) ? null : args, answer);
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
      await issuer.acknowledge(again.tokens.refresh_token);
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
      assert.ok(dump.includes(first.session_id), "the dump contains the session id");
    });
  });
}

describe("law 5: an attacker who can write to the store", () => {
  test("cannot give a session or its tokens to another subject", async () => {
    const { clock, store, issuer } = createFixture();
    const tokens = await logIn(issuer, "mallory");
    const forged = forgeAnswers(store, (method, answer) => {
      const admin = (session: SessionRecord) => ({ ...session, subject: "admin" });
      if (method === "sessions.get") return answer && admin(answer as SessionRecord);
      if (method !== "sessions.rotate") return answer;
      const rotation = answer as { session: SessionRecord };
      return { ...rotation, session: admin(rotation.session) };
    });
    const { issuer: victim } = createFixture({ clock, store: forged });
    assert.equal((await victim.refresh(tokens.refresh_token)).status, "invalid_grant");
    assert.equal((await validateAtIssuer(victim, tokens.access_token)).valid, false);
    assert.equal(await countTampered(store), 2);
  });

  test("cannot give a session more scopes, a longer life or the facts of another session", async () => {
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
      const forged = forgeAnswers(store, (method, answer) => {
        if (method !== "sessions.rotate") return answer;
        const rotation = answer as { session: SessionRecord };
        return { ...rotation, session: { ...rotation.session, ...change(rotation.session) } };
      });
      const outcome = await createFixture({ clock, store: forged }).issuer.refresh(tokens.refresh_token);
      assert.equal(outcome.status, "invalid_grant");
    }
  });

  test("fault 13: cannot open another session with the digest of their own", async () => {
    const { clock, store, issuer } = createFixture();
    const victim = await logIn(issuer, "ann");
    const mallory = await logIn(issuer, "mallory");
    const own = await store.sessions.get(mallory.session_id);
    const forged = forgeAnswers(store, (method, answer) => {
      if (method !== "sessions.get" || answer === null) return answer;
      return { ...(answer as object), currentDigest: own?.currentDigest };
    });
    const outcome = await createFixture({ clock, store: forged }).issuer.refresh(mallory.refresh_token);
    assert.ok(outcome.status === "ok");
    const claims = claimsOf(outcome.tokens.access_token);
    assert.deepEqual([claims["sub"], claims["sid"]], ["mallory", mallory.session_id]);
    assert.equal((await issuer.refresh(victim.refresh_token)).status, "ok");
  });

  test("cannot make the issuer return a forged successor or time of issue", async () => {
    const { clock, store, issuer } = createFixture();
    const tokens = await logIn(issuer, "mallory");
    await issuer.refresh(tokens.refresh_token);
    const forgeries: [object, string][] = [
      [{ sealedSuccessor: "A".repeat(200) }, "invalid_grant"],
      [{ sealedSuccessor: "" }, "invalid_grant"],
    ];
    for (const [forgery, status] of forgeries) {
      const forged = forgeAnswers(store, (method, answer) =>
        method === "sessions.rotate" ? { ...(answer as object), ...forgery } : answer,
      );
      const { issuer: other } = createFixture({ clock, store: forged });
      assert.equal((await other.refresh(tokens.refresh_token)).status, status);
    }
    const future = forgeAnswers(store, (method, answer) => {
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

  test("fault 13: cannot log in with a forged password hash, name or scope", async () => {
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
      const forged = forgeAnswers(store, (method, answer) =>
        isLookUp(method) ? { ...(answer as UserRecord), ...forgery } : answer,
      );
      const { issuer: victim } = createFixture({ ...own, clock, store: forged });
      for (const password of ["password of mallory", "password of ann"]) {
        assert.equal((await victim.login({ username: "ann", password })).status, "denied");
      }
    }
    const promoted = forgeAnswers(store, (method, answer) =>
      isLookUp(method) ? { ...(answer as UserRecord), scopes: ["holdfast:admin"] } : answer,
    );
    const { issuer: victim } = createFixture({ ...own, clock, store: promoted });
    assert.equal((await victim.login({ username: "ann", password: "password of ann" })).status, "denied");
  });

  for (const [name, open] of stores) {
    test(`cannot have a planted user signed when the secret is replaced on ${name}`, async () => {
      await open(async (store, clock) => {
        const own = { store, clock, authenticate: undefined } as object;
        const old = createFixture(own).issuer;
        await old.users.add({ username: "mallory", password: "password of mallory" });
        const mallory = (await store.users.get("mallory")) as UserRecord;
        const planted = { ...mallory, scopes: ["holdfast:admin"] };
        const admin = { ...planted, username: "admin", subject: "admin" };
        await store.users.add(admin, { onlyFirst: false });
        await store.users.replace({ ...planted, mac: "planted" }, mallory.mac);
        await old.close();

        const { issuer } = createFixture({ ...own, secret: `${OTHER_SECRET},${SECRET}` });
        await issuer.users.add({ username: "ann", password: "password of ann" });
        for (const username of ["admin", "mallory"]) {
          const outcome = await issuer.login({ username, password: "password of mallory" });
          assert.equal(outcome.status, "denied");
        }
        assert.deepEqual(
          (await issuer.users.list()).map(({ username }) => username),
          ["ann"],
        );
        await logIn(issuer);
      });
    });
  }

  test("cannot add a signing key that is used, published or accepted", async () => {
    const { clock, store, issuer } = createFixture();
    const tokens = await logIn(issuer, "mallory");
    const foreign = await generateSigningKey("ES256");
    const sealed = Buffer.from(JSON.stringify(foreign.privateJwk)).toString("base64url");
    const forged = forgeAnswers(store, (method, answer) => {
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
    const audited = await countTampered(store);
    assert.ok(audited >= 2);
    for (let i = 0; i < 5; i++) {
      await clock.advance(1_000);
      assert.equal((await validateAtIssuer(victim, (await logIn(victim)).access_token)).valid, true);
    }
    assert.equal(await countTampered(store), audited, "audited once, not at every reload");
  });
});
