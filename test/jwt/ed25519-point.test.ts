import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { isSafeEd25519Point } from "../../src/jwt/ed25519-point.ts";

/** Encodes y in little-endian order, with the sign of x in the highest bit. */
function encode(y: bigint, sign: 0 | 1): Buffer {
  const bytes = Buffer.from(Buffer.from(y.toString(16).padStart(64, "0"), "hex").toReversed());
  bytes[31] = (bytes[31] as number) | (sign << 7);
  return bytes;
}

const p = 2n ** 255n - 19n;
/** The y of the base point, which has a large prime order (RFC 8032 §5.1). */
const baseY = 46316835694926478169428394003475163141307993866256225615783033603165251855960n;
/** The y of the points of order 8, without their negatives. */
const orderEightY = BigInt("0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826");

test("a point of large order is safe, whatever the sign of x", () => {
  for (const sign of [0, 1] as const) assert.equal(isSafeEd25519Point(encode(baseY, sign)), true);
});

test("a generated public key is safe", () => {
  const { x = "" } = generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" });
  assert.equal(isSafeEd25519Point(Buffer.from(x, "base64url")), true);
});

test("points of order 1, 2, 4 and 8 are not safe", () => {
  for (const y of [1n, p - 1n, 0n, orderEightY, p - orderEightY]) {
    for (const sign of [0, 1] as const) assert.equal(isSafeEd25519Point(encode(y, sign)), false, `${y}`);
  }
});

test("an encoding of y + p and a y outside of the curve are not safe", () => {
  for (const y of [p, p + 1n, 2n]) assert.equal(isSafeEd25519Point(encode(y, 0)), false, `${y}`);
});
