import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryStore } from "../../../src/stores/memory.ts";
import { FakeClock } from "../../../src/testing/fake-clock.ts";
import { BASIC, createFixture, ISSUER_URL, logIn, OTHER_SECRET, SECRET, sendRequest } from "../fixture.ts";

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

/** A process that lacks the current secret, with the tokens of a session that it cannot read. */
async function replaceSecret() {
  const clock = new FakeClock();
  const store = memoryStore({ clock });
  const old = createFixture({ clock, store, cookies: { origins: [ISSUER_URL] } }).issuer;
  await old.ready();
  const current = createFixture({ clock, store, secret: `${OTHER_SECRET},${SECRET}` }).issuer;
  const tokens = await logIn(current);
  return { clock, store, old, current, tokens };
}

const FORM = { "Content-Type": "application/x-www-form-urlencoded" };

for (const [what, path, form, headers] of [
  ["logout", "/auth/logout", false, {}],
  ["logout-all", "/auth/logout-all", false, {}],
  ["acknowledgement", "/auth/refresh/ack", false, {}],
  ["revocation", "/oauth/revoke", true, {}],
  ["introspection", "/oauth/introspect", true, { Authorization: BASIC }],
  ["logout of a page with cookies", "/auth/logout", null, { "x-holdfast": "1" }],
] as const) {
  test(`fault 72, law 1, law 12: a ${what} is 503 at a process that lacks the replaced secret`, async () => {
    const { clock, old, current, tokens } = await replaceSecret();
    await clock.advance(5 * 60_000);
    const { refresh_token: token } = tokens;
    const cookie = { Cookie: `__Secure-hf_rt=${token}`, Origin: ISSUER_URL };
    const body = form === true ? new URLSearchParams({ token }).toString() : { refresh_token: token };
    const response =
      form === null
        ? await sendRequest(old, "POST", path, {}, { ...headers, ...cookie })
        : await sendRequest(old, "POST", path, body, { ...headers, ...(form ? FORM : {}) });
    assert.equal(response.status, 503);
    assert.deepEqual(response.headers.getSetCookie(), []);
    assert.equal((await current.refresh(token)).status, "ok", "the session goes on");
    for (const issuer of [old, current]) await issuer.close();
  });
}

test("fault 72, law 1: a process notices the replaced secret at the first token that it cannot read", async () => {
  const { old, current, tokens } = await replaceSecret();
  const forged =
    tokens.refresh_token.slice(0, -4) + (tokens.refresh_token.endsWith("AAAA") ? "BBBB" : "AAAA");
  assert.equal((await old.refresh(forged)).status, "unavailable");
  assert.equal((await old.refresh(tokens.refresh_token)).status, "unavailable");
  for (const issuer of [old, current]) await issuer.close();
});

/** Ten looks at two markers. */
const MAX_READS = 20;

test("fault 72, law 6: made-up tokens cost a bounded number of reads of the store per second", async (t) => {
  const clock = new FakeClock();
  const store = memoryStore({ clock });
  const { issuer } = createFixture({ clock, store });
  const { refresh_token: token } = await logIn(issuer);
  const forged = token.slice(0, -4) + (token.endsWith("AAAA") ? "BBBB" : "AAAA");
  const read = t.mock.method(store.markers, "read");
  for (let second = 1; second <= 3; second++) {
    await clock.advance(1_000);
    const outcomes = await Promise.all(Array.from({ length: 20 }, async () => await issuer.refresh(forged)));
    for (let i = 0; i < 20; i++) outcomes.push(await issuer.refresh(forged));
    assert.ok(outcomes.every(({ status }) => status === "invalid_grant"));
    await issuer.refresh("hfr_made-up");
    assert.ok(read.mock.callCount() <= second * MAX_READS, String(read.mock.callCount()));
  }
});
