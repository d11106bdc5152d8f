import assert from "node:assert/strict";
import nodeCrypto, { createPublicKey, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { test } from "node:test";
import { World } from "../../../src/testing/simulation/world.ts";

const message = Buffer.from("a message");

/** Runs `check` in a world, with the `verify` of the platform replaced. Returns how often the platform verified. */
async function countVerifications(
  check: (verify: (data: Buffer, key: KeyObject, signature: Buffer) => boolean) => void,
): Promise<number> {
  const { verify } = nodeCrypto;
  let calls = 0;
  const counted = (...args: Parameters<typeof verify>) => {
    calls++;
    return verify(...args);
  };
  nodeCrypto.verify = counted as typeof verify;
  try {
    const world = new World({ seed: 1 });
    world.process("program", () =>
      check((data, key, signature) => nodeCrypto.verify(null, data, key, signature)),
    );
    await world.run(10);
    assert.deepEqual(world.history, [], "the program threw no error");
  } finally {
    nodeCrypto.verify = verify;
  }
  return calls;
}

test("a world verifies an Ed25519 signature once, also for another object of the same key", async () => {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const sameKey = createPublicKey(publicKey.export({ format: "pem", type: "spki" }));
  const signature = sign(null, message, privateKey);
  const calls = await countVerifications((verify) => {
    for (const key of [publicKey, sameKey, publicKey]) assert.equal(verify(message, key, signature), true);
  });
  assert.equal(calls, 1);
});

test("a remembered signature is valid for no other message and no other key, and a wrong one stays wrong", async () => {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const other = generateKeyPairSync("ed25519").publicKey;
  const signature = sign(null, message, privateKey);
  const forged = Buffer.from(signature);
  forged[10] = (forged[10] ?? 0) ^ 1;
  const calls = await countVerifications((verify) => {
    for (let round = 0; round < 2; round++) {
      assert.equal(verify(message, publicKey, signature), true);
      assert.equal(verify(Buffer.from("another message"), publicKey, signature), false);
      assert.equal(verify(message, other, signature), false);
      assert.equal(verify(message, publicKey, forged), false);
      assert.equal(verify(Buffer.alloc(0), publicKey, Buffer.concat([signature, message])), false);
    }
  });
  assert.equal(calls, 6, "the signature of a wrong length is verified each time");
});

test("a world verifies the signature of another algorithm each time", async () => {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const signature = sign(null, message, privateKey);
  const calls = await countVerifications((verify) => {
    for (let round = 0; round < 2; round++) assert.equal(verify(message, publicKey, signature), true);
  });
  assert.equal(calls, 2);
});
