import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryStore } from "../../../src/stores/memory.ts";
import { FakeClock } from "../../../src/testing/fake-clock.ts";
import { createFixture, logIn, OTHER_SECRET, SECRET } from "../fixture.ts";

const LATER_MS = 15 * 60_000;

for (const [order, lateSecret] of [
  ["the new secret is first at once", `${OTHER_SECRET},${SECRET}`],
  ["the old secret is left out at once, after one start with both", OTHER_SECRET],
]) {
  test(`fault 72, law 1: a process with only the old secret calls no one wrong when ${order}`, async () => {
    const clock = new FakeClock();
    const store = memoryStore({ clock });
    const old = createFixture({ clock, store }).issuer;
    const early = await logIn(old);
    const both = createFixture({ clock, store, secret: `${OTHER_SECRET},${SECRET}` }).issuer;
    await both.ready();
    const late = createFixture({ clock, store, secret: lateSecret as string }).issuer;
    const tokens = await logIn(late);
    const refreshed = await both.refresh(early.refresh_token);
    assert.equal(refreshed.status, "ok");
    // The old process reads the keys again, and meets records and tokens under the new secret.
    await clock.advance(LATER_MS);
    for (const token of [tokens.refresh_token, refreshed.tokens.refresh_token]) {
      assert.equal((await old.refresh(token)).status, "unavailable");
    }
    const audit = await store.audit.recent(100);
    assert.deepEqual(
      audit.filter(({ kind }) => kind === "record_tampered"),
      [],
    );
    assert.equal((await both.refresh(tokens.refresh_token)).status, "ok", "the session goes on");
    for (const issuer of [old, both, late]) await issuer.close();
  });
}

test("fault 72: a process with the current secret refuses a made-up token as before", async () => {
  const { issuer } = createFixture();
  const { refresh_token: token } = await logIn(issuer);
  const forged = token.slice(0, -4) + (token.endsWith("AAAA") ? "BBBB" : "AAAA");
  assert.equal((await issuer.refresh(forged)).status, "invalid_grant");
});
