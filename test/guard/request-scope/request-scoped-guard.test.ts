import assert from "node:assert/strict";
import { test } from "node:test";
import { createGuard, staticKeys, type GuardOptions } from "../../../src/index.ts";
import { createRequestScopedGuard } from "../../../src/guard/request-scope/request-scoped-guard.ts";
import { readGuardSettings } from "../../../src/guard/settings.ts";
import { createMint, FakeClock } from "../../../src/testing/index.ts";

const issuer = "https://id.example";
const audience = "https://api.example";

async function setUp() {
  const clock = new FakeClock();
  const mint = await createMint({ issuer, audience, clock });
  const options: GuardOptions = { issuer, audience, keys: staticKeys(mint.jwks()), clock };
  return { mint, options };
}

test("opens a guard for each call and closes it, and starts nothing before", async () => {
  const { mint, options } = await setUp();
  const opened: ReturnType<typeof createGuard>[] = [];
  const guard = createRequestScopedGuard(readGuardSettings(options), () => {
    const own = createGuard({ ...options, name: `guard ${opened.length}` });
    opened.push(own);
    return own;
  });
  assert.equal(opened.length, 0);
  assert.equal((await guard.validate(mint.token())).status, "valid");
  assert.equal((await guard.authorize(mint.token(), { scopes: ["read"] })).status, "forbidden");
  assert.equal(guard.status().issuers[0]?.issuer, issuer);
  await guard.ready();
  assert.deepEqual(
    opened.map((own) => own.status().state),
    ["closed", "closed", "closed", "closed"],
  );
  await guard.close();
  assert.equal((await guard.validate(mint.token())).status, "unavailable");
  assert.equal(opened.length, 4);
});

test("refuses options that need a lasting process", async () => {
  const { options } = await setUp();
  const parts = { load: async () => null, save: async () => {} };
  const settings = readGuardSettings({ ...options, snapshots: parts });
  assert.throws(() => createRequestScopedGuard(settings, () => assert.fail("opened")), {
    code: "invalid_option",
    message: /snapshots needs a process that lives for longer than a request/,
  });
  const guard = createRequestScopedGuard(readGuardSettings(options), () => assert.fail("opened"));
  assert.throws(() => guard.distrustKeys(), { code: "invalid_option" });
  assert.throws(() => guard.forceBreaker("open"), { code: "invalid_option" });
});
