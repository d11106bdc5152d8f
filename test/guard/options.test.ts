import assert from "node:assert/strict";
import { test } from "node:test";
import { createGuard, sharedSecret, staticKeys } from "../../src/index.ts";
import { createMint } from "../../src/testing/index.ts";
import { audience, issuer, makeFixture } from "./fixture.ts";

test("createGuard rejects a wrong option by name", async () => {
  const { guard } = await makeFixture();
  const wrong: [object, RegExp][] = [
    [{ audience: undefined }, /audience/],
    [{ audience: [] }, /audience/],
    [{ audience: "" }, /audience/],
    [{ issuer: undefined }, /issuer/],
    [{ clockTolerance: 5 }, /clockTolerance"/],
    [{ clockToleranceMs: 300_001 }, /clockToleranceMs/],
    [{ maxTokenBytes: "16k" }, /maxTokenBytes/],
    [{ memory: { maxEntries: 5 } }, /maxEntries/],
    [{ memory: { ttlMs: -1 } }, /memory\.ttlMs/],
    [{ algorithms: [] }, /algorithms/],
    [{ algorithms: ["none"] }, /algorithms/],
    [{ algorithms: ["HS256"] }, /algorithms/],
    [{ keys: null }, /keys/],
    [{ random: 4 }, /random/],
    [{ name: "" }, /name/],
    [{ revocationPollMs: 0 }, /revocationPollMs/],
  ];
  for (const [options, message] of wrong) {
    assert.throws(() => guard(options), { code: "invalid_option", message });
  }
});

test("law 4: createGuard rejects a part that lacks a method, and names both", async () => {
  const { guard } = await makeFixture();
  const lacking: [object, RegExp][] = [
    [{ keys: { kind: "jwks" } }, /keys with open\(\)/],
    [{ revocations: { snapshot() {}, after() {} } }, /revocations with subscribe\(\)/],
    [{ snapshots: { load() {} } }, /snapshots with save\(\)/],
    [{ clock: { now: Date.now } }, /clock with monotonic\(\), after\(\)/],
  ];
  for (const [options, message] of lacking) {
    assert.throws(() => guard(options), { code: "missing_method", message });
  }
});

test("audience null skips the check, one of several audiences is enough, and options are copied", async () => {
  const { guard, mint } = await makeFixture();
  const elsewhere = mint.token({ aud: "https://elsewhere.example" });
  assert.equal((await guard({ audience: null }).validate(elsewhere)).status, "valid");
  const accepted = ["https://elsewhere.example", audience];
  const g = guard({ audience: accepted });
  accepted.length = 0;
  assert.equal((await g.validate(elsewhere)).status, "valid");
});

test("exp is required unless allowMissingExp waives it; then the token never expires", async () => {
  const { guard, mint } = await makeFixture();
  const token = mint.token({ exp: undefined, sub: undefined });
  assert.deepEqual(await guard().validate(token), { status: "invalid", reason: "missing_claim" });
  const verdict = await guard({ allowMissingExp: true, requiredClaims: [] }).validate(token);
  assert.ok(verdict.status === "valid" && verdict.expiresAt === Infinity && verdict.subject === "");
});

test("createGuard and its key sources reject an unusable key by name", async () => {
  const { mint } = await makeFixture();
  const [key] = mint.jwks().keys;
  assert.throws(() => staticKeys({ keys: [{ ...key, alg: "RS256" }] }), {
    code: "invalid_key",
    message: /key 0/,
  });
  assert.throws(() => staticKeys("nothing"), { code: "invalid_key" });
  const keys = staticKeys(mint.jwks());
  assert.throws(() => createGuard({ issuer, audience, keys, algorithms: ["RS256"] }), {
    code: "invalid_key",
  });
  const secret = sharedSecret(new Uint8Array(64), "HS256");
  assert.throws(() => createGuard({ issuer, audience, keys: secret, algorithms: ["HS512"] }), {
    code: "invalid_option",
    message: /HS256/,
  });
  assert.throws(
    () => sharedSecret("a password that is long enough to pass" as never, "HS256"),
    (error: Error & { code: string }) =>
      error.code === "invalid_option" && !error.message.includes("password"),
  );
});

test("with configured keys an unknown kid and a wrong algorithm are invalid at once", async () => {
  const { guard, mint, clock } = await makeFixture();
  const g = guard();
  const stranger = await createMint({ issuer, audience, clock });
  assert.deepEqual(await g.validate(stranger.token()), { status: "invalid", reason: "unknown_key" });
  const other = await createMint({ issuer, audience, algorithm: "EdDSA", clock });
  const token = other.token({}, { kid: mint.kid });
  assert.deepEqual(await g.validate(token), { status: "invalid", reason: "wrong_algorithm" });
});
