import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import { RevocationView } from "../../../src/guard/revocations/view.ts";
import type { Issuer, TokenResponse } from "../../../src/issuer/types.ts";
import { sqliteStore } from "../../../src/stores/sqlite.ts";
import type { Store } from "../../../src/stores/store.ts";
import { FakeClock } from "../../../src/testing/fake-clock.ts";
import { temporaryFolder } from "../../stores/temporary-folder.ts";
import { BASIC, claimsOf, createFixture, ISSUER_URL, logIn, validateAtIssuer } from "../fixture.ts";

const HOUR_MS = 3_600_000;

/** Whether a guard with a complete view of the log refuses the token. */
async function isRevokedAtGuard(store: Store, { access_token: text }: TokenResponse): Promise<boolean> {
  const view = new RevocationView(ISSUER_URL, 1000);
  view.load(await store.revocations.snapshot());
  return view.isRevoked(claimsOf(text), undefined);
}

const isValidAtIssuer = async (issuer: Issuer, { access_token: text }: TokenResponse) =>
  (await validateAtIssuer(issuer, text)).valid;

async function refresh(issuer: Issuer, tokens: TokenResponse): Promise<TokenResponse | null> {
  const outcome = await issuer.refresh(tokens.refresh_token);
  return outcome.status === "ok" ? outcome.tokens : null;
}

test("law 3, fault 34: whatever the order of logins, refreshes, cut-offs and clock steps, cut-offs order the tokens and no `iat` is in the future", async () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.constant({ do: "log in" } as const) },
    { weight: 3, arbitrary: fc.constant({ do: "refresh" } as const) },
    { weight: 3, arbitrary: fc.constant({ do: "cut off" } as const) },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant("step" as const), ms: fc.integer({ min: -5000, max: 5000 }) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant("step" as const), ms: fc.constantFrom(-HOUR_MS, HOUR_MS) }),
    },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      const { clock, store, issuer } = createFixture();
      let live: TokenResponse[] = [];
      const revoked: TokenResponse[] = [];
      const check = async (tokens: TokenResponse | null) => {
        if (tokens === null) return;
        assert.ok(Number(claimsOf(tokens.access_token)["iat"]) * 1000 <= clock.now());
        assert.equal(await isRevokedAtGuard(store, tokens), false, "valid at once at a guard");
        assert.equal(await isValidAtIssuer(issuer, tokens), true, "valid at once at the issuer");
        live.push(tokens);
      };
      for (const one of steps) {
        const last = live.at(-1);
        if (one.do === "step") clock.setWall(clock.now() + one.ms);
        else if (one.do === "log in") await check(await logIn(issuer));
        else if (one.do === "refresh") await check(last === undefined ? null : await refresh(issuer, last));
        else {
          await issuer.revoke({ kind: "subject", id: "ann" });
          revoked.push(...live);
          live = [];
        }
        for (const tokens of revoked) assert.equal(await isRevokedAtGuard(store, tokens), true);
      }
      await issuer.close();
      await store.close();
    }),
    { numRuns: 25 },
  );
});

for (const aheadMs of [HOUR_MS, -HOUR_MS]) {
  test(`fault 34: a cut-off by a machine whose clock is off by ${aheadMs / HOUR_MS} h keeps no user out and revokes every token`, async (t) => {
    const { path, remove } = temporaryFolder();
    const file = join(path, "holdfast.db");
    const right = new FakeClock();
    const wrong = new FakeClock();
    wrong.setWall(right.now() + aheadMs);
    const stores = [
      await sqliteStore({ file, clock: right }),
      await sqliteStore({ file, clock: wrong }),
    ] as const;
    const [one, other] = [
      createFixture({ clock: right, store: stores[0] }).issuer,
      createFixture({ clock: wrong, store: stores[1] }).issuer,
    ];
    t.after(async () => {
      await Promise.all([one.close(), other.close()]);
      for (const store of stores) await store.close();
      remove();
    });
    const before = [await logIn(one), await logIn(other)];
    await other.revoke({ kind: "subject", id: "ann" });
    for (const tokens of before) assert.equal(await isRevokedAtGuard(stores[0], tokens), true);
    for (const issuer of [one, other, one]) {
      const tokens = await logIn(issuer);
      assert.equal(await isRevokedAtGuard(stores[0], tokens), false);
      assert.equal(await isValidAtIssuer(issuer, tokens), true);
    }
    await one.revoke({ kind: "subject", id: "ann" });
    assert.equal(await isRevokedAtGuard(stores[0], before[1] as TokenResponse), true);
  });
}

test("law 3: a service gets a valid token at once after its cut-off, and its earlier tokens are revoked", async () => {
  const { clock, store, issuer } = createFixture();
  const request = async () => {
    const response = await issuer.fetch(
      new Request(`${ISSUER_URL}/oauth/token`, {
        method: "POST",
        headers: { authorization: BASIC, "content-type": "application/x-www-form-urlencoded" },
        body: "grant_type=client_credentials",
      }),
    );
    return (await response.json()) as TokenResponse;
  };
  const before = await request();
  await issuer.revoke({ kind: "subject", id: "orders" });
  const after = await request();
  assert.ok(Number(claimsOf(after.access_token)["iat"]) * 1000 <= clock.now());
  assert.equal(await isRevokedAtGuard(store, before), true);
  assert.equal(await isRevokedAtGuard(store, after), false);
  assert.equal(await isValidAtIssuer(issuer, after), true);
});

test("a claim of the user cannot stand for the number of a cut-off", async () => {
  const claims = { hf_cutoff: Number.MAX_SAFE_INTEGER };
  const { store, issuer } = createFixture({ authenticate: () => ({ subject: "ann", scopes: [], claims }) });
  const tokens = await logIn(issuer);
  await issuer.revoke({ kind: "subject", id: "ann" });
  assert.equal(await isRevokedAtGuard(store, tokens), true);
});

test("law 1: a new token of a service is valid after its cut-off ran out and the issuer restarted, also at a guard that has not pruned", async () => {
  const options = { clients: [{ id: "billing", secret: "0123456789abcdef0123", scopes: ["x"] }] };
  const { clock, store, issuer } = createFixture(options);
  await issuer.ready();
  await issuer.revoke({ kind: "subject", id: "billing" });
  const view = new RevocationView(ISSUER_URL, 1000);
  const snapshot = await store.revocations.snapshot();
  view.load(snapshot);
  const until = snapshot.entries[0]?.revocation.until ?? 0;
  await clock.advance(until - clock.now() + 1000);
  await store.prune();
  const restarted = createFixture({ ...options, store, clock }).issuer;
  const response = await restarted.fetch(
    new Request(`${ISSUER_URL}/oauth/token`, {
      method: "POST",
      headers: {
        Authorization: `Basic ${Buffer.from("billing:0123456789abcdef0123").toString("base64")}`,
        "Content-Type": "application/x-www-form-urlencoded",
      },
      body: "grant_type=client_credentials",
    }),
  );
  const { access_token: token } = (await response.json()) as { access_token: string };
  assert.equal(view.isRevoked(claimsOf(token), undefined), false);
});
