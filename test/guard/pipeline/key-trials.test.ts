import assert from "node:assert/strict";
import { test } from "node:test";
import { createGuard, staticKeys } from "../../../src/index.ts";
import { generateSigningKey, signToken } from "../../../src/jwt/sign.ts";
import { FakeClock } from "../../../src/testing/index.ts";
import { audience, issuer } from "../fixture.ts";

test("fault 74: a token without kid is tried with four keys of a hundred at once, and the next request continues", async (t) => {
  const clock = new FakeClock();
  const keys = await Promise.all(Array.from({ length: 100 }, async () => await generateSigningKey("ES256")));
  const foreign = await generateSigningKey("ES256");
  const guard = createGuard({
    issuer,
    audience,
    keys: staticKeys({ keys: keys.map(({ publicJwk }) => publicJwk) }),
    clock,
  });
  t.after(async () => await guard.close());
  let made = 0;
  const tokenOf = (key: (typeof keys)[number] | undefined) => {
    assert.ok(key !== undefined);
    const exp = clock.now() / 1000 + 3_600;
    const claims = { iss: issuer, aud: audience, sub: "user", exp, jti: String(made++) };
    return signToken(claims, { ...key, kid: undefined } as unknown as typeof key);
  };
  const requestsUntilDecided = async (token: string) => {
    for (let requests = 1; requests < 100; requests++) {
      const verdict = await guard.validate(token);
      if (verdict.status === "valid") return [requests, "valid"];
      if (verdict.status === "invalid") return [requests, verdict.reason];
      assert.equal(verdict.cause, "key_pending");
    }
    return assert.fail("the guard never decides");
  };
  assert.deepEqual(await requestsUntilDecided(tokenOf(keys[3])), [1, "valid"]);
  assert.deepEqual(await requestsUntilDecided(tokenOf(keys[50])), [13, "valid"]);
  assert.deepEqual(
    await requestsUntilDecided(tokenOf(keys[50])),
    [1, "valid"],
    "a key that verified one comes first",
  );
  assert.deepEqual(await requestsUntilDecided(tokenOf(keys[3])), [1, "valid"]);
  const forged = tokenOf(foreign);
  assert.deepEqual(await requestsUntilDecided(forged), [25, "bad_signature"]);
  assert.deepEqual(await requestsUntilDecided(forged), [1, "bad_signature"], "the proof is remembered");
});
