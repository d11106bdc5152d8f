import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { test } from "node:test";
import type { GuardEvent } from "../../../src/core/events.ts";
import { createGuard, jwks, type Decision } from "../../../src/index.ts";
import { generateSigningKey, importSigningKey, signToken } from "../../../src/jwt/sign.ts";
import { FakeClock } from "../../../src/testing/fake-clock.ts";
import { issuer } from "../fixture.ts";

test("a bad signature under an old key does not count after a new key has the same kid", async (t) => {
  const before = await generateSigningKey("RS256");
  const { privateJwk } = await generateSigningKey("RS256");
  const after = importSigningKey({ ...privateJwk, kid: before.kid });
  const clock = new FakeClock();
  let published: object[] = [before.publicJwk];
  const fetch = async () => await Promise.resolve(Response.json({ keys: published }));
  const keys = jwks(`${issuer}/jwks`, { fetch, freshMs: 1_000, coolDownMs: 1_000 });
  const guard = createGuard({ issuer, audience: null, keys, clock });
  t.after(async () => await guard.close());
  await guard.ready();
  const claims = { iss: issuer, sub: "user", exp: clock.now() / 1_000 + 3_600 };
  const token = signToken(claims, after);

  // The unusable key makes the guard report the new set before it takes the set's place.
  published = [after.publicJwk, { kty: "oct", k: "AA" }];
  const early = Promise.withResolvers<Decision>();
  const listen = (event: unknown) => {
    if ((event as GuardEvent).event === "keys_rejected") early.resolve(guard.authorize(token));
  };
  subscribe("holdfast:guard", listen);
  t.after(() => unsubscribe("holdfast:guard", listen));
  await clock.advance(2_000);

  assert.equal((await early.promise).status, "invalid", "the old key did not sign the token");
  assert.equal((await guard.authorize(token)).status, "valid");
});
