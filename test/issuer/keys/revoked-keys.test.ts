import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Issuer, IssuerOptions } from "../../../src/issuer/types.ts";
import { memoryStore } from "../../../src/stores/memory.ts";
import type { KeyStore } from "../../../src/stores/store.ts";
import { FakeClock } from "../../../src/testing/fake-clock.ts";
import { createFixture, logIn, sendRequest, validateAtIssuer } from "../fixture.ts";
import { wrapStore } from "../stores.ts";

const kidOf = (token: string): string =>
  (JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString()) as { kid: string }).kid;

async function publishedKids(issuer: Issuer): Promise<string[]> {
  const response = await sendRequest(issuer, "GET", "/.well-known/jwks.json");
  return ((await response.json()) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid);
}

/** Issuers on one store. `revert` gives the store the keys again that it had when `remember` was called. */
function createIssuers() {
  const clock = new FakeClock();
  let keys: KeyStore = memoryStore({ clock }).keys;
  let failing = "";
  const store = wrapStore(memoryStore({ clock }), async (name, call, args) => {
    const [part, method = ""] = name.split(".");
    if (name === failing) throw new Error("the disk failed");
    if (part !== "keys") return await call();
    return await (keys[method as keyof KeyStore] as (...given: unknown[]) => unknown)(...args);
  });
  let remembered: Awaited<ReturnType<KeyStore["list"]>> = [];
  return {
    clock,
    create: (options: Partial<IssuerOptions> = {}) => createFixture({ ...options, store, clock }).issuer,
    remember: async () => void (remembered = await keys.list()),
    revert: async () => {
      ({ keys } = memoryStore({ clock }));
      await keys.initialise(remembered);
      // Every issuer reads the keys within a second.
      await clock.advance(1_001);
    },
    fail: (name: string) => (failing = name),
    stored: async () => (await keys.list()).map(({ kid }) => kid),
  };
}

describe("revoked keys that the store has again", () => {
  for (const [kind, options] of [
    ["the issuer that revoked it, without having read the log", { clients: [] }],
    ["the issuer that revoked it", {}],
    ["another issuer", null],
  ] as const) {
    test(`law 3: a revoked key that is active again signs nothing at ${kind}`, async () => {
      const { create, remember, revert, stored } = createIssuers();
      const first = create(options ?? {});
      const issuer = options === null ? create() : first;
      await issuer.ready();
      const kid = kidOf((await logIn(first)).access_token);
      await remember();
      await first.revoke({ kind: "key", id: kid });
      await revert();
      assert.ok((await stored()).includes(kid));
      assert.ok(!(await publishedKids(issuer)).includes(kid), "the key is not published");
      const { access_token: token } = await logIn(issuer);
      assert.notEqual(kidOf(token), kid);
      assert.ok(!(await stored()).includes(kid), "the store loses the key");
      assert.ok((await publishedKids(issuer)).includes(kidOf(token)));
      if (options?.clients === undefined) {
        assert.equal((await validateAtIssuer(issuer, token)).valid, true);
      }
    });
  }

  test("law 3: a revoked key that is the next one again is removed before it signs", async () => {
    const { create, remember, revert, stored } = createIssuers();
    const issuer = create();
    await issuer.ready();
    const [, next = ""] = await stored();
    await remember();
    await issuer.revoke({ kind: "key", id: next });
    await revert();
    await issuer.keys.rotate();
    assert.notEqual(kidOf((await logIn(issuer)).access_token), next);
    assert.ok(!(await stored()).includes(next));
  });

  test("law 3: a login is unavailable when a revoked key is active and cannot be replaced", async () => {
    const { create, remember, revert, fail } = createIssuers();
    const issuer = create();
    const kid = kidOf((await logIn(issuer)).access_token);
    await remember();
    await issuer.revoke({ kind: "key", id: kid });
    await revert();
    fail("keys.rotate");
    const credentials = { username: "ann", password: "password of ann" };
    assert.equal((await issuer.login(credentials)).status, "unavailable");
    fail("");
    assert.notEqual(kidOf((await logIn(issuer)).access_token), kid);
  });

  test("law 3: an issuer that cannot read the log signs with a key that the log does not call revoked", async () => {
    const { clock, create, fail } = createIssuers();
    const issuer = create();
    const kid = kidOf((await logIn(issuer)).access_token);
    fail("revocations.after");
    await clock.advance(1_001);
    assert.equal(kidOf((await logIn(issuer)).access_token), kid);
  });
});
