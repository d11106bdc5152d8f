import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { createGuard, jwks, staticKeys } from "../../../src/index.ts";
import { importJwkSetInTurns } from "../../../src/jwt/jwk-set.ts";
import { generateSigningKey, signToken } from "../../../src/jwt/sign.ts";
import { FakeClock } from "../../../src/testing/index.ts";
import { audience, issuer } from "../fixture.ts";
import { recordEvents } from "./fixture.ts";

const makeKeys = async (count: number) =>
  await Promise.all(Array.from({ length: count }, async () => await generateSigningKey("ES256")));

/** Counts the turns of the event loop until `work` has settled. */
async function countTurns(work: Promise<unknown>): Promise<number> {
  let turns = 0;
  const state = { isDone: false };
  void work.finally(() => (state.isDone = true));
  while (!state.isDone) {
    await new Promise<void>((resolve) => void setImmediate(resolve));
    turns++;
  }
  return turns;
}

test("fault 74: every key of a fetched set of 300 verifies tokens, and no turn imports more than 16", async (t) => {
  const clock = new FakeClock();
  const keys = await makeKeys(300);
  const set = { keys: keys.map(({ publicJwk }) => publicJwk) };
  const guard = createGuard({
    issuer,
    audience,
    keys: jwks(`${issuer}/jwks`, { fetch: () => Response.json(set) }),
    clock,
  });
  t.after(async () => await guard.close());
  await guard.ready();
  assert.equal(guard.status().issuers[0]?.keys.kids.length, 300);
  const exp = clock.now() / 1000 + 3_600;
  for (const index of [0, 99, 100, 299]) {
    const key = keys[index];
    assert.ok(key !== undefined);
    const token = signToken({ iss: issuer, aud: audience, sub: "user", exp }, key);
    assert.equal((await guard.validate(token)).status, "valid", `key ${index}`);
  }
  const importing = importJwkSetInTurns(set);
  assert.ok((await countTurns(importing)) >= 18);
  assert.equal((await importing).keys.length, 300);
});

test("fault 74: keys after the first 500 are reported by few events, and their tokens are not invalid", async (t) => {
  const clock = new FakeClock();
  const events = recordEvents(t);
  const [first, last] = await makeKeys(2);
  assert.ok(first !== undefined && last !== undefined);
  const others = Array.from({ length: 600 }, (_, n) => ({ kty: "oct", kid: `secret-${n}`, k: "AA" }));
  const set = { keys: [first.publicJwk, ...others, last.publicJwk] };
  const guard = createGuard({
    issuer,
    audience,
    keys: jwks(`${issuer}/jwks`, { fetch: () => Response.json(set) }),
    clock,
  });
  t.after(async () => await guard.close());
  await guard.ready();
  const claims = { iss: issuer, aud: audience, sub: "user", exp: clock.now() / 1000 + 3_600 };
  assert.equal((await guard.validate(signToken(claims, first))).status, "valid");
  const verdict = await guard.validate(signToken(claims, last));
  assert.ok(verdict.status === "unavailable" && verdict.cause === "key_pending");
  const rejections = events.filter(({ event }) => event === "keys_rejected").map(({ message }) => message);
  assert.equal(rejections.length, 21);
  assert.equal(rejections.at(-1), "581 more keys cannot be used");
  assert.throws(() => staticKeys(set), { code: "invalid_key" });
});

test("fault 74: keys without kid are compared in linear time, and equal ones become one", async () => {
  const pairs = Array.from({ length: 250 }, () => generateKeyPairSync("ec", { namedCurve: "P-256" }));
  const published = pairs.map(({ publicKey }) => publicKey.export({ format: "jwk" }));
  const { keys, rejected } = await importJwkSetInTurns({ keys: [...published, ...published] });
  assert.deepEqual([keys.length, rejected.length], [250, 0]);
});
