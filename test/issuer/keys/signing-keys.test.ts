import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isHoldfastError } from "../../../src/core/errors.ts";
import { createGuard, jwks } from "../../../src/index.ts";
import type { Issuer } from "../../../src/issuer/types.ts";
import { measureUntil } from "../../support/auth-calls.ts";
import {
  claimsOf,
  BASIC,
  sendRequest,
  createFixture,
  logIn,
  OTHER_SECRET,
  SECRET,
  ISSUER_URL,
  validateAtIssuer,
} from "../fixture.ts";
import { failStore, advanceInSteps, stores, wrapStore } from "../stores.ts";

const MINUTE_MS = 60_000;

async function published(issuer: Issuer): Promise<string[]> {
  const response = await sendRequest(issuer, "GET", "/.well-known/jwks.json");
  assert.equal(response.headers.get("Cache-Control"), "public, max-age=300");
  const { keys } = (await response.json()) as { keys: Record<string, string>[] };
  for (const key of keys) {
    assert.deepEqual(
      Object.keys(key).toSorted(),
      ["alg", "crv", "kid", "kty", "use", "x", "y"],
      "nothing private",
    );
  }
  return keys.map((key) => key["kid"] ?? "");
}

const kidOf = (token: string): string =>
  (JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString()) as { kid: string }).kid;

async function signingKid(issuer: Issuer): Promise<string> {
  return kidOf((await logIn(issuer)).access_token);
}

for (const [name, open] of stores) {
  describe(`signing keys on ${name}`, () => {
    test("law 4: issuers that start together on an empty store agree on the keys", async () => {
      await open(async (store, clock) => {
        const issuers = Array.from({ length: 4 }, () => createFixture({ store, clock }).issuer);
        await Promise.all(issuers.map(async (issuer) => await issuer.ready()));
        const sets = await Promise.all(issuers.map(published));
        assert.equal(sets[0]?.length, 2);
        for (const set of sets) assert.deepEqual(set, sets[0]);
      });
    });

    test("publishes the next key before it signs, and a retired key until its last token has expired everywhere", async () => {
      await open(async (store, clock) => {
        const { issuer } = createFixture({ store, clock });
        const [first, second] = await published(issuer);
        const old = await logIn(issuer);
        assert.equal(kidOf(old.access_token), first);
        await issuer.keys.rotate();
        assert.equal(await signingKid(issuer), second);
        assert.equal((await published(issuer)).length, 3);
        assert.equal((await validateAtIssuer(issuer, old.access_token)).valid, true);
        await advanceInSteps(clock, store, 10 * MINUTE_MS);
        assert.ok((await published(issuer)).includes(first ?? ""), "a guard may tolerate 5 minutes");
        await advanceInSteps(clock, store, 80 * MINUTE_MS);
        assert.ok(
          !(await published(issuer)).includes(first ?? ""),
          "nor must the clock be right to the hour",
        );
      });
    });

    test("rotates the keys on schedule, once for all issuers on the store", async () => {
      await open(async (store, clock) => {
        const own = { store, clock, keyRotationMs: 20 * MINUTE_MS };
        const [a, b] = [createFixture(own).issuer, createFixture(own).issuer];
        const [first, second] = await published(a);
        await b.ready();
        await advanceInSteps(clock, store, 19 * MINUTE_MS);
        assert.equal(await signingKid(a), first);
        await advanceInSteps(clock, store, 16 * MINUTE_MS);
        const rotations = async () =>
          (await store.audit.recent(100)).filter(({ kind }) => kind === "keys_rotated").length;
        // A rotation takes real time. The clock moves slowly meanwhile, so that the next one does not become due.
        const hasRotated = async () => {
          await advanceInSteps(clock, store, 500);
          return (await rotations()) > 0;
        };
        await measureUntil(hasRotated, 20_000);
        assert.equal(await rotations(), 1);
        for (const issuer of [a, b]) {
          // An issuer reads the keys every second of its clock, and a store in a thread answers in real time.
          const signsWithSecond = async () => {
            await advanceInSteps(clock, store, 500);
            return (await signingKid(issuer)) === second;
          };
          assert.ok((await measureUntil(signsWithSecond, 20_000)) < Infinity);
        }
        await a.close();
        await b.close();
      });
    });

    test("law 3: notices key changes of another issuer within a second, and a revoked key signs no more", async () => {
      await open(async (store, clock) => {
        const [a, b] = [createFixture({ store, clock }).issuer, createFixture({ store, clock }).issuer];
        await b.ready();
        await a.keys.rotate();
        await a.keys.rotate();
        await clock.advance(1_000);
        const { access_token: token } = await logIn(a);
        assert.deepEqual(await published(b), await published(a));
        assert.equal((await validateAtIssuer(b, token)).valid, true);
        assert.equal(await signingKid(b), kidOf(token));
        await a.revoke({ kind: "key", id: kidOf(token) });
        await clock.advance(1_000);
        const renewed = await logIn(b);
        assert.notEqual(kidOf(renewed.access_token), kidOf(token));
        assert.equal((await validateAtIssuer(a, renewed.access_token)).valid, true);
        assert.equal((await validateAtIssuer(b, token)).valid, false);
      });
    });

    test("law 1: a key that another issuer published a moment ago is read, at most ten times a second for unknown keys", async () => {
      await open(async (store, clock) => {
        let reads = 0;
        const counted = failStore(store, (method) => {
          if (method === "keys.list") reads++;
          return false;
        });
        const [a, b] = [
          createFixture({ store, clock }).issuer,
          createFixture({ store: counted, clock }).issuer,
        ];
        await b.ready();
        await logIn(b);
        await a.keys.rotate();
        await a.keys.rotate();
        const { access_token: token } = await logIn(a);
        assert.equal((await validateAtIssuer(b, token)).valid, true);
        reads = 0;
        const [head = "", ...rest] = token.split(".");
        const header = JSON.parse(Buffer.from(head, "base64url").toString()) as object;
        const unknown = Buffer.from(JSON.stringify({ ...header, kid: "unknown" })).toString("base64url");
        const forged = [unknown, ...rest].join(".");
        assert.equal((await validateAtIssuer(b, forged)).valid, false);
        await a.keys.rotate();
        await a.keys.rotate();
        const { access_token: newest } = await logIn(a);
        assert.equal((await validateAtIssuer(b, newest)).valid, true, "a forged token hides no new key");
        for (let i = 0; i < 50; i++) assert.equal((await validateAtIssuer(b, forged)).valid, false);
        assert.ok(reads <= 11, `${reads} reads`);
      });
    });

    test("fault 2: while the keys cannot be read, retries once a second and signs with the known key for a minute", async () => {
      await open(async (store, clock) => {
        let [reads, fails] = [0, false];
        const unreliable = failStore(store, (method) => {
          if (method !== "keys.list") return false;
          reads++;
          return fails && "before";
        });
        const { issuer } = createFixture({ store: unreliable, clock });
        const first = await signingKid(issuer);
        [reads, fails] = [0, true];
        for (let i = 0; i < 50; i++) {
          await clock.advance(1_000);
          assert.deepEqual([await signingKid(issuer), await signingKid(issuer)], [first, first]);
        }
        assert.ok(reads >= 50 && reads < 60, `${reads} reads`);
        await clock.advance(10_000);
        assert.equal(
          (await issuer.login({ username: "ann", password: "password of ann" })).status,
          "unavailable",
        );
        assert.ok((await published(issuer)).includes(first), "the known keys stay published");
        fails = false;
        assert.equal(await signingKid(issuer), first);
      });
    });

    test("law 1: while the keys cannot be read, a token of a new key is unavailable, not invalid", async () => {
      await open(async (store, clock) => {
        let fails = false;
        const unreliable = failStore(store, (method) => fails && method === "keys.list" && "before");
        const [a, b] = [
          createFixture({ store, clock }).issuer,
          createFixture({ store: unreliable, clock }).issuer,
        ];
        const { access_token: old } = await logIn(b);
        await a.keys.rotate();
        await a.keys.rotate();
        const { access_token: token } = await logIn(a);
        fails = true;
        await clock.advance(1_000);
        const ask = async () =>
          await sendRequest(b, "POST", "/auth/validate", { token }, { Authorization: BASIC });
        for (let i = 0; i < 2; i++) assert.equal((await ask()).status, 503);
        assert.equal((await validateAtIssuer(b, old)).valid, true, "a known key still verifies");
        fails = false;
        assert.equal((await validateAtIssuer(b, token)).valid, true);
      });
    });

    test("law 1: a key set that is published while the store cannot be read makes no key unknown to a guard", async () => {
      await open(async (store, clock) => {
        let fails = false;
        const unreliable = failStore(store, (method) => fails && method === "keys.list" && "before");
        const [a, b] = [
          createFixture({ store, clock }).issuer,
          createFixture({ store: unreliable, clock }).issuer,
        ];
        await b.ready();
        const guard = createGuard({
          issuer: ISSUER_URL,
          audience: null,
          keys: jwks("http://localhost/.well-known/jwks.json", {
            fetch: async (input, init) => await b.fetch(new Request(input, init)),
            coolDownMs: 1_000,
          }),
          clock,
        });
        await guard.ready();
        fails = true;
        await a.keys.rotate();
        await a.keys.rotate();
        const { access_token: token } = await logIn(a);
        for (let i = 0; i < 10; i++) {
          assert.equal((await guard.validate(token)).status, "unavailable", `after ${i} s`);
          await clock.advance(1_000);
        }
        fails = false;
        assert.equal((await guard.validate(token)).status, "valid");
        await guard.close();
      });
    });

    test("law 3: a revoked key neither signs nor is published, and its tokens are refused", async () => {
      await open(async (store, clock) => {
        const { issuer } = createFixture({ store, clock });
        const [first = "", second = ""] = await published(issuer);
        const old = await logIn(issuer);
        await issuer.revoke({ kind: "key", id: first });
        assert.equal(await signingKid(issuer), second);
        assert.ok(!(await published(issuer)).includes(first));
        assert.equal((await validateAtIssuer(issuer, old.access_token)).valid, false);
        assert.equal((await issuer.refresh(old.refresh_token)).status, "ok", "the session lives on");
        const [, next = ""] = await published(issuer);
        await issuer.revoke({ kind: "key", id: next });
        assert.ok(!(await published(issuer)).includes(next), "nor one that was only published");
        assert.ok((await published(issuer)).length >= 2);
        const { entries } = await store.revocations.snapshot();
        for (const { revocation } of entries) {
          // The thief chooses exp, and a guard may still use the old key set during an outage.
          assert.ok(revocation.until > clock.now() + 7 * 24 * 60 * MINUTE_MS);
        }
        assert.deepEqual(
          entries.map(({ revocation: { kind, id } }) => [kind, id]),
          [
            ["key", first],
            ["key", next],
          ],
        );
      });
    });

    test("law 3: every issuer refuses a revoked token from the next request on", async () => {
      await open(async (store, clock) => {
        const [a, b] = [createFixture({ store, clock }).issuer, createFixture({ store, clock }).issuer];
        const tokens = await logIn(a);
        assert.equal((await validateAtIssuer(b, tokens.access_token)).valid, true);
        await a.revoke({ kind: "token", id: String(claimsOf(tokens.access_token)["jti"]) });
        for (const issuer of [a, b]) {
          assert.deepEqual(await validateAtIssuer(issuer, tokens.access_token), {
            valid: false,
            reason: "revoked",
          });
        }
        const renewed = await a.refresh(tokens.refresh_token);
        assert.equal(
          renewed.status === "ok" && (await validateAtIssuer(b, renewed.tokens.access_token)).valid,
          true,
        );
      });
    });

    test("putting a new secret first replaces the secret and keeps sessions and users", async () => {
      await open(async (store, clock) => {
        const own = { store, clock, authenticate: undefined } as object;
        const before = createFixture(own).issuer;
        await before.users.add({ username: "ann", password: "password of ann" });
        const tokens = await logIn(before);
        const during = createFixture({ ...own, secret: `${OTHER_SECRET}, ${SECRET}` }).issuer;
        const renewed = await during.refresh(tokens.refresh_token);
        assert.equal(renewed.status, "ok");
        await logIn(during);
        const lost = await during.refresh(tokens.refresh_token);
        assert.deepEqual(
          lost.status === "ok" && lost.tokens.refresh_token,
          renewed.status === "ok" && renewed.tokens.refresh_token,
        );
        const after = createFixture({ ...own, secret: OTHER_SECRET }).issuer;
        assert.equal((await validateAtIssuer(after, (await logIn(after)).access_token)).valid, true);
        assert.deepEqual((await published(after)).slice(0, 2), (await published(before)).slice(0, 2));
        const again = createFixture({ ...own, secret: SECRET }).issuer;
        await assert.rejects(again.ready(), (error) => isHoldfastError(error, "store_mismatch"));
      });
    });

    test("seals the records of a process under the old secret again at the next start", async () => {
      await open(async (store, clock) => {
        const own = { store, clock, authenticate: undefined } as object;
        const old = createFixture(own).issuer;
        await old.ready();
        await createFixture({ ...own, secret: `${OTHER_SECRET},${SECRET}` }).issuer.ready();
        await old.users.add({ username: "ann", password: "password of ann" });
        await createFixture({ ...own, secret: `${OTHER_SECRET},${SECRET}` }).issuer.ready();
        await logIn(createFixture({ ...own, secret: OTHER_SECRET }).issuer);
      });
    });

    test("law 4: refuses a store of another secret with a message that says what to do", async () => {
      await open(async (store, clock) => {
        await createFixture({ store, clock }).issuer.ready();
        const { issuer } = createFixture({ store, clock, secret: OTHER_SECRET });
        await assert.rejects(issuer.ready(), (error: Error) => {
          assert.ok(isHoldfastError(error, "store_mismatch"));
          assert.match(error.message, /put the new one before it/);
          return !error.message.includes(OTHER_SECRET);
        });
        assert.equal(
          (await sendRequest(issuer, "POST", "/auth/refresh", { refresh_token: "x" })).status,
          503,
        );
      });
    });
  });
}

test("law 3: drops a list of keys that arrives after a newer one", async () => {
  const { clock, store } = createFixture();
  let release = () => {};
  let held = false;
  const slow = wrapStore(store, async (name, work) => {
    const answer = await work();
    if (name === "keys.list" && held) await new Promise<void>((resolve) => (release = resolve));
    return answer;
  });
  const { issuer } = createFixture({ clock, store: slow });
  const kid = await signingKid(issuer);
  held = true;
  const listing = issuer.keys.list();
  await clock.advance(1);
  held = false;
  await issuer.revoke({ kind: "key", id: kid });
  release();
  await listing;
  assert.notEqual(await signingKid(issuer), kid);
  assert.ok(!(await published(issuer)).includes(kid));
});

test("law 1: a retired key stays published for the tokens of a process that does not know the rotation yet", async () => {
  // Maintenance runs every ten minutes exactly.
  const { clock, store, issuer } = createFixture({ random: () => 0.5 });
  let isCutOff = false;
  const unreliable = failStore(store, (method) => isCutOff && method === "keys.list" && "before");
  const { issuer: late } = createFixture({ clock, store: unreliable });
  const kid = await signingKid(issuer);
  await clock.advance(270_000);
  await signingKid(late);
  await issuer.keys.rotate();
  isCutOff = true;
  await clock.advance(59_000);
  assert.equal(await signingKid(late), kid, "the late process still signs with the retired key");
  // Its token ends after ten minutes. A clock may be an hour behind, and a guard tolerates five minutes more.
  await clock.advance(75 * MINUTE_MS - 29_000);
  assert.ok((await published(issuer)).includes(kid));
  await clock.advance(10 * MINUTE_MS);
  assert.ok(!(await published(issuer)).includes(kid));
});

for (const algorithm of ["ES256", "ES384", "EdDSA", "RS256", "PS256"] as const) {
  test(`signs and verifies with ${algorithm}`, async () => {
    const { issuer } = createFixture({ algorithm });
    const { access_token: token } = await logIn(issuer);
    assert.equal((await validateAtIssuer(issuer, token)).valid, true);
    assert.equal(issuer.status().keys[0]?.algorithm, algorithm);
  });
}

test("law 1: the age of a published key set is rounded up, so that no guard takes it for newer than it is", async () => {
  const { clock, issuer } = createFixture();
  await issuer.ready();
  await issuer.keys.rotate();
  await clock.advance(400);
  const answer = await sendRequest(issuer, "GET", "/.well-known/jwks.json");
  assert.equal(answer.headers.get("age"), "1");
});
