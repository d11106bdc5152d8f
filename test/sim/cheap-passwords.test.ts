import assert from "node:assert/strict";
import { test } from "node:test";
import argon2 from "@node-rs/argon2";
import { lowerPasswordCost } from "../../sim/cheap-passwords.ts";
import { PasswordHasher } from "../../src/issuer/users/passwords.ts";
import { World } from "../../src/testing/simulation/index.ts";

test("a simulated issuer checks passwords with the lowest cost of Argon2, and takes its hashes for current ones", async () => {
  const world = new World({ seed: 1 });
  world.process("issuer", async ({ clock, entropy }) => {
    const passwords = new PasswordHasher(clock, entropy);
    const hash = await passwords.hash("a good password");
    const hashedAt = clock.monotonic();
    world.record("checked", {
      hash,
      isCurrent: passwords.isCurrent(hash),
      right: await passwords.verify(hash, "a good password"),
      wrong: await passwords.verify(hash, "another password"),
      unknown: await passwords.verify(null, "a good password"),
      elapsedMs: clock.monotonic() - hashedAt,
    });
  });
  const restore = lowerPasswordCost(world);
  await world.run(1_000);
  restore();
  const { hash, elapsedMs, ...results } = world.history[0]?.data ?? {};
  assert.deepEqual(results, { isCurrent: true, right: true, wrong: false, unknown: false });
  assert.ok(Number(elapsedMs) >= 30 && Number(elapsedMs) <= 450, "three checks take simulated time");
  const lowest = String(hash).replace("$m=19456,t=2,p=1$", "$m=8,t=1,p=1$");
  assert.equal(argon2.verifySync(lowest, "a good password"), true);
  assert.match(argon2.hashSync("a good password"), /\$m=19456,t=2,p=1\$/);
  assert.equal(argon2.verifySync(String(hash), "a good password"), false, "the usual cost is in force again");
});
